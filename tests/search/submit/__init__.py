"""The room tests/search/submit."""
