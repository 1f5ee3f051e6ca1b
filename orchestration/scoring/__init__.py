"""From documents to findings: who is named, what the LLM says of it, the proof in the text."""
