"""Measurements of what the package claims, one question a file; `python -m benchmarks.fit`."""
