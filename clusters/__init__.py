"""Cluster files for `ray up` and KubeRay, made from shared parts by `python -m clusters.make`."""
