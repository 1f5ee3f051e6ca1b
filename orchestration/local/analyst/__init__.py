"""The offline analyst: an OpenAI-compatible server that answers by an open lexicon.

A stand-in, so that everything runs without a key. It reads words, not meaning: its findings show
how the pipeline works, not how risky a supplier is.
"""

from orchestration.settings import OFFLINE_ANALYST

MODEL = OFFLINE_ANALYST
