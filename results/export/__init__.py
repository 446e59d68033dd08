"""Exports a trial as an adapter or a merged checkpoint, verified in a fresh process, with a model card."""
