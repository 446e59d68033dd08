"""The room tests/search/benches."""
