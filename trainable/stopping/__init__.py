"""Decides from a trial's loss curve when its training ends."""
