"""A stub of an LLM endpoint: fast enough never to be what is measured, with limits and faults.

It reads nothing: every answer quotes the document's first line. For tests and benchmarks alone.
"""

MODEL = "gpt-4o-mini"
