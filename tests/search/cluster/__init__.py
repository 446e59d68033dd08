"""The room tests/search/cluster."""
