"""The state of a run folder: its lock, its copy in object storage, and how a lost folder is restored."""
