"""Records of a trial as pydantic models: spec, curve, outcome, verdict and confirmation."""
