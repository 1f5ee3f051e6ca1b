"""The marts at size: a synthetic world of findings, and what builds and refreshes take."""
