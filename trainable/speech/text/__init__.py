"""Comparing texts with transcripts: normalisation, character error, numbers, Whisper's hallucinations."""
