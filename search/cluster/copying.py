"""The command that copies a checkpoint to a node which lacks it, to be typed on the driver's node."""

import getpass
import shlex
from pathlib import Path

import yaml

from search.cluster.node_probe import hub_folder
from search.cluster.nodes import BOOTSTRAP_FILE, Node


def missing_checkpoint(node: Node, name: str) -> str:
    """What to do about a model or recogniser, a folder or a hub id, that the node neither has nor can download."""
    if Path(name).is_absolute():
        return (
            f"{node}: {name} is not there; copy it: {copy_command(Path(name), node.address)}, or put it on storage "
            "that every node has at this path"
        )
    folder = hub_folder(name)
    copy = f", or copy it: {copy_command(folder, node.address)}" if folder.is_dir() else ""
    return f"{node}: {name} is not in its cache, and the hub cannot be reached from there; connect it{copy}"


def copy_command(folder: Path, address: str) -> str:
    """An rsync to the same path on the node, with the login and the key of a cluster that `ray up` started."""
    user, key = _login()
    shell = ["-e", f"ssh -i {key}"] if key else []
    return shlex.join(["rsync", "-a", "--mkpath", *shell, f"{folder}/", f"{user}@{address}:{folder}/"])


def _login() -> tuple[str, str | None]:
    """User and private key of the nodes, if they are known here; else this user and no key."""
    try:
        text = Path(BOOTSTRAP_FILE).expanduser().read_text(encoding="utf-8")
        auth = (yaml.safe_load(text) or {}).get("auth") or {}
        user, key = auth.get("ssh_user"), auth.get("ssh_private_key")
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        user = key = None
    return user or getpass.getuser(), key
