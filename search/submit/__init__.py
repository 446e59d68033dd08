"""A search that is started on a user's machine and runs on the head of a cluster: upload, submit, follow, fetch."""
