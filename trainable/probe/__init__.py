"""The probe: lets an adapter speak a fixed set of lines and judges the recordings."""
