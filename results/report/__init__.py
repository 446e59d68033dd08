"""The listening page and the overview picture of a run."""
