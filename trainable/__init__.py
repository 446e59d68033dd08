"""Data, loop, band, probe and model families. No Ray and no Optuna: everything here runs and is tested alone."""
