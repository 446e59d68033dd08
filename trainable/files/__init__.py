"""Files and folders: atomic writes, trial folders, caches, and mirrors in object storage."""
