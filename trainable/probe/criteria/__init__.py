"""From measures to verdicts: calibration to a voice, thresholds, flags, scores and the decision on a probe."""
