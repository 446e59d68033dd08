"""The room tests/search/whole."""
