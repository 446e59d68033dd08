"""Running a probe: lets models speak the lines of a script and judges what they say."""
