"""Benchmarks: each measures the product beside a bare peer in one run and prints the ratio."""
