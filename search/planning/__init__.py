"""The room search/planning."""
