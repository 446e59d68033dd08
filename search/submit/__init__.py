"""The room search/submit."""
