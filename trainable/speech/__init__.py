"""Audio and speech tools that dataset preparation and the probe share: files, voice activity, cutting, tempo."""
