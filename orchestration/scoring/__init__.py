"""From documents to findings: who is named, what the LLM says about it, and the proof in the text."""
