"""The room search/console."""
