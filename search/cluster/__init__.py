"""The room search/cluster."""
