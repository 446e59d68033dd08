"""Functions that inspect the node on which they run. They take and return plain values.

Ray sends this module and `environment` to nodes by value, whatever copy of the project those have. At module level it
imports nothing else of the project.
"""

import importlib
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from search.cluster.environment import differences, versions

RETRY_SECONDS = 15.0
"""How long a file that another node wrote may take to appear: NFS caches a folder's listing for some seconds."""
HUB_SECONDS = 10.0
"""How long the hub may take to answer a node."""
MARK_BYTES = b"sweetspot\n" * 100


def write_mark(storage: str, name: str) -> str | None:
    """Writes a file to the storage, a folder or a URI. Returns the error, None without one."""
    try:
        files, folder = file_system(storage)
        files.create_dir(folder, recursive=True)
        with files.open_output_stream(f"{folder}/{name}") as file:
            file.write(MARK_BYTES)
    except Exception as error:
        return _first_line(error)
    return None


def unread_marks(storage: str, names: Sequence[str]) -> list[str]:
    """Those of these files that are missing or hold something else."""
    missing, deadline = list(names), time.monotonic() + RETRY_SECONDS
    while True:
        missing = [name for name in missing if not _reads(storage, name)]
        if not missing or time.monotonic() > deadline:
            return missing
        time.sleep(0.5)


def remove_marks(storage: str) -> None:
    files, folder = file_system(storage)
    files.delete_dir(folder)


def file_system(storage: str) -> tuple[Any, str]:
    """pyarrow's file system of a folder or a URI such as `s3://bucket/prefix`, and the path in it."""
    from pyarrow import fs

    return fs.FileSystem.from_uri(storage) if "://" in storage else (fs.LocalFileSystem(), storage)


def inspect_node(
    inputs: Sequence[str], free_bytes: Mapping[str, float], checkpoints: Sequence[str] = ()
) -> dict[str, Any]:
    """Looks for the paths `inputs`, for free bytes by folder, and for checkpoints by folder or hub id. A name in braces
    is a folder of the node's own.

    Returns `versions`; `missing`, the paths that do not exist; `full`, the folders with fewer free bytes, each with
    (free, needed); `absent`, the checkpoints that are not here and cannot be downloaded.
    """
    full = {}
    for name, needed in free_bytes.items():
        folder = _NODE_FOLDERS[name]() if name in _NODE_FOLDERS else Path(name)
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(existing).free
        if free < needed:
            full[str(folder)] = (free, needed)
    return {
        "versions": versions(),
        "missing": [path for path in inputs if not Path(path).exists()],
        "full": full,
        "absent": [name for name in checkpoints if not _has_checkpoint(name)],
    }


def inspect_gpus() -> dict[str, Any]:
    """Returns `seen`, how many GPUs torch can use of those that Ray gives this task; `used`, bytes in use on each; and
    `error`, torch's error or None."""
    try:
        import torch

        used = []
        for number in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(number)
            used.append(total - free)
    except Exception as error:
        return {"seen": 0, "used": [], "error": _first_line(error)}
    return {"seen": len(used), "used": used, "error": None}


def train_on_matching_node(config: dict[str, Any]) -> None:
    """What a Ray Train worker of a bench runs on a cluster: it serves where the node's versions equal the driver's.

    Where they differ it has the broker exclude the node, and raises RuntimeError. Ray Train starts the workers once
    more, which then end at once, and the bench moves to another node.

    `config`: `versions`, the driver's; `broker`; `bench`; `serve`, the "module:function" that serves a bench; and
    `spec`, pickled, since a node without the project could not read it.
    """
    import pickle

    import ray

    broker, bench = config["broker"], config["bench"]
    if ray.get(broker.is_moving.remote(bench)):
        return
    if found := differences(versions(), config["versions"]):
        problem = f"node {ray.util.get_node_ip_address()}: {'; '.join(found)}"
        ray.get(broker.exclude_node.remote(bench, ray.get_runtime_context().get_node_id(), problem))
        raise RuntimeError(problem)
    # By name, so that a node without the project can read this module.
    module, _, function = config["serve"].partition(":")
    getattr(importlib.import_module(module), function)(pickle.loads(config["spec"]), bench, broker)


def _reads(storage: str, name: str) -> bool:
    try:
        files, folder = file_system(storage)
        with files.open_input_stream(f"{folder}/{name}") as file:
            return file.read() == MARK_BYTES
    except Exception:
        return False


def _has_checkpoint(name: str) -> bool:
    """Whether a folder exists, or a hub id has weights in the cache or can be downloaded."""
    if Path(name).is_absolute():
        return Path(name).is_dir()
    weights = (path for kind in ("safetensors", "bin") for path in hub_folder(name).glob(f"snapshots/*/*.{kind}"))
    return any(path.exists() for path in weights) or _is_hub_reachable()


def _is_hub_reachable() -> bool:
    """Whether the hub answers, if only with a refusal."""
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return False
    try:
        urlopen(Request(os.environ.get("HF_ENDPOINT", "https://huggingface.co"), method="HEAD"), timeout=HUB_SECONDS)
    except HTTPError:
        return True
    except Exception:
        return False
    return True


def hub_folder(name: str) -> Path:
    """Where the cache of the hub on this node has a repository."""
    return _hub_cache() / f"models--{name.replace('/', '--')}"


def _hub_cache() -> Path:
    hub = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    return Path(hub) if hub else Path(home) / "hub"


def _ray_folder() -> Path:
    return Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp") / "ray"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


HUB_CACHE, RAY_FOLDER = "{hub}", "{ray}"
_NODE_FOLDERS: dict[str, Callable[[], Path]] = {HUB_CACHE: _hub_cache, RAY_FOLDER: _ray_folder}
