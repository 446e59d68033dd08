"""The room tests/search/proposals."""
