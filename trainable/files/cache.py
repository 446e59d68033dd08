"""The cache that all searches share: measures of recordings, codec codes, datasets from the hub."""

import os
from pathlib import Path

VARIABLE = "SWEETSPOT_CACHE"


def cache_folder() -> Path:
    """`$SWEETSPOT_CACHE`, else `sweetspot` in the user's cache folder. On a cluster it should be shared storage.

    Everything in it can be deleted at any time, at the cost of computing it again.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sweetspot"
