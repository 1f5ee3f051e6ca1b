"""From the broker to landed documents: publish, validate, land, and queue the work that follows."""
