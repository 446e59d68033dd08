"""The room search/proposals."""
