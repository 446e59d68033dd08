"""Whole searches, from a plan to the export."""
