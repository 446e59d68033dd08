"""The room search/benches."""
