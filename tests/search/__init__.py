"""The room tests/search."""
