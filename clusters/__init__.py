"""Cluster files for `ray up` and KubeRay, rendered from shared templates by `python -m clusters.make`."""
