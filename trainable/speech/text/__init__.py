"""Comparing texts with transcripts: normalisation, character error, numbers and measures, Whisper's hallucinations."""
