"""Tests of transcription and of cutting recordings."""
