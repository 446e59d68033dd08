"""Makes a dataset from recordings: transcribes a folder, or cuts one long recording into clips."""
