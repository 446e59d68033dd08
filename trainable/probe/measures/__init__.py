"""Measures of one clip: each module takes a wave or a transcript and returns numbers."""
