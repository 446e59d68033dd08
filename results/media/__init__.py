"""Spectrograms, and the recordings of the voice that a search is compared with."""
