"""What people see and are told: the dashboards in Superset, and alerts.

Scores are made elsewhere.
"""
