"""The room tests/search/console."""
