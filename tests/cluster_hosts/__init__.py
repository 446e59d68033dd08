"""Hosts made of Linux namespaces, each with an SSH server of its own, to try a cluster file on: `make cluster-test`."""
