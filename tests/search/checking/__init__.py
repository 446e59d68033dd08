"""The room tests/search/checking."""
