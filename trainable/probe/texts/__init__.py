"""The texts that a probe speaks: shipped lines, lines of a file, and held-out transcripts."""
