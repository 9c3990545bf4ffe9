"""Measures the program against its budgets: `python -m tests.bench [--quick] [row ...]`, or `make bench`."""
