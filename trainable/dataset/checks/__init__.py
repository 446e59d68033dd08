"""Checks a dataset before it is trained on, and reports findings as a table, JSON or an HTML page."""
