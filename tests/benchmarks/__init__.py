"""Benchmarks: ``python -m tests.benchmarks.NAME`` prints a Markdown table. Not run by pytest."""
