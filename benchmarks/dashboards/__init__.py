"""The dashboards at size: how soon a person sees what they show."""
