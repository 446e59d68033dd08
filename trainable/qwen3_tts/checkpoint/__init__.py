"""Checkpoints on disk: checking, sizing, fingerprinting and loading them."""
