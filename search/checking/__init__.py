"""The room search/checking."""
