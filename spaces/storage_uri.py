"""Where a run is kept when its nodes share no folder."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict

from spaces.errors import InputError

EXPECTED_URI = "expected an address such as s3://bucket/prefix, or file:///path"
_SECRET = re.compile(r"key|secret|token|password|signature|credential|\bsas\b|\bsig\b", re.IGNORECASE)


class Storage(BaseModel):
    """A run's folder, and the same folder in storage that every node reaches. It crosses process borders as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    root: Path
    """Absolute, and the same on every node, where it is on the node's own disk."""
    uri: str
    """Of the run's folder in storage, as `checked_uri` lets it pass."""


def join_uri(uri: str, name: str) -> str:
    """The address of a folder in that folder."""
    parts = urlsplit(uri)
    return parts._replace(path=f"{parts.path}/{name}").geturl()


def checked_uri(text: str) -> str:
    """The address, without a slash at its end. Raises InputError for what is none, and for one that holds a secret:
    addresses stand in ledgers, logs and messages."""
    try:
        parts = urlsplit(text)
    except ValueError:
        raise InputError(f"--storage: {EXPECTED_URI}") from None
    user, at, _ = parts.netloc.rpartition("@")
    # Azure's addresses name a container there, and no secret.
    is_container = parts.scheme in ("abfs", "abfss") and ":" not in user
    options = parse_qsl(parts.query, keep_blank_values=True)
    if (at and not is_container) or any(_SECRET.search(key) or "@" in value for key, value in options):
        # The address itself is not repeated.
        raise InputError(
            f"--storage {parts.scheme}://…: the address holds a secret, and it would stand in the ledger; leave it "
            "out, and let the nodes have it by an instance profile or in their environment (AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY)"
        )
    has_place = parts.path.strip("/") if parts.scheme == "file" else parts.netloc
    if not parts.scheme or "://" not in text or not has_place or (parts.scheme == "file" and parts.netloc):
        raise InputError(f"--storage {text}: {EXPECTED_URI}")
    if any(part in (".", "..") for part in parts.path.split("/")):
        raise InputError(f"--storage {text}: expected an address without . and .. in it")
    return parts._replace(path=parts.path.rstrip("/")).geturl()
