"""How far instructions inside documents move a model's findings: attacks, asking, figures.

For `supplier-risk injection-report`. It asks through the pipeline's own engine and ledger, and
writes no assessment.
"""
