"""The LLM engine against the stub: how many calls a second, at which CPU, within which limits."""
