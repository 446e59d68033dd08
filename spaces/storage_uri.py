"""Addresses of storage, for a run whose nodes share no folder."""

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from spaces.errors import InputError
from spaces.frozen_model import FrozenModel

EXPECTED_URI = "expected an address such as s3://bucket/prefix, or file:///path"
_SECRET = re.compile(r"key|secret|token|password|signature|credential|\bsas\b|\bsig\b", re.IGNORECASE)


class Storage(FrozenModel):
    """A run's local folder and its copy in storage that every node reaches. It is passed between processes as JSON."""

    root: Path
    """Absolute, the same path on every node, on the node's own disk."""
    uri: str
    """Address of the run's folder in storage, checked by `checked_uri`."""


def join_uri(uri: str, name: str) -> str:
    """The address of the entry `name` in the folder at `uri`."""
    parts = urlsplit(uri)
    return parts._replace(path=f"{parts.path}/{name}").geturl()


def checked_uri(text: str) -> str:
    """The address without a trailing slash.

    Raises InputError for an invalid address, and for one that holds a secret: addresses appear in ledgers, logs and
    messages.
    """
    try:
        parts = urlsplit(text)
    except ValueError:
        raise InputError(f"--storage: {EXPECTED_URI}") from None
    user, at, _ = parts.netloc.rpartition("@")
    # In Azure's addresses the user part is a container, not a secret.
    is_container = parts.scheme in ("abfs", "abfss") and ":" not in user
    options = parse_qsl(parts.query, keep_blank_values=True)
    if (at and not is_container) or any(_SECRET.search(key) or "@" in value for key, value in options):
        # The message does not repeat the address.
        raise InputError(
            f"--storage {parts.scheme}://…: the address holds a secret, which would be written to the ledger; leave it "
            "out, and give it to the nodes by an instance profile or in their environment (AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY)"
        )
    has_place = parts.path.strip("/") if parts.scheme == "file" else parts.netloc
    if not parts.scheme or "://" not in text or not has_place or (parts.scheme == "file" and parts.netloc):
        raise InputError(f"--storage {text}: {EXPECTED_URI}")
    if any(part in (".", "..") for part in parts.path.split("/")):
        raise InputError(f"--storage {text}: expected an address without . and .. in its path")
    return parts._replace(path=parts.path.rstrip("/")).geturl()
