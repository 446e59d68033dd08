"""Trains trials in the seats of a bench, writes their checkpoints, and makes their outcomes."""
