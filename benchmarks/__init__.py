"""Benchmarks: peer and ours in turn in one run, each in a process of its own; every script prints ratios."""
