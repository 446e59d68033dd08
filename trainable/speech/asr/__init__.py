"""Speech recognisers: Whisper, CTC and CTranslate2 checkpoints, and Pocketsphinx for offline English."""
