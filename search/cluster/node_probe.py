"""What is looked at on a node. Plain values only; at module level it imports nothing of the project but `environment`.

Ray carries both modules to nodes as they are here, whatever copy of the project those have.
"""

from __future__ import annotations

import importlib
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from search.cluster.environment import differences, identity

RETRY_SECONDS = 15.0
"""How long what another node wrote may take to be seen: NFS keeps what it knows of a folder for some seconds."""
BYTES = b"sweetspot\n" * 100


def write_mark(storage: str, name: str) -> str | None:
    """Leaves a file in the storage, a folder or a URI. What kept it from being written; None where nothing did."""
    try:
        files, folder = file_system(storage)
        files.create_dir(folder, recursive=True)
        with files.open_output_stream(f"{folder}/{name}") as file:
            file.write(BYTES)
    except Exception as error:
        return _in_words(error)
    return None


def unread_marks(storage: str, names: Sequence[str]) -> list[str]:
    """Of these files, those that are not there or hold something else."""
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
    """pyarrow's file system and the path in it, of a folder or a URI such as `s3://bucket/prefix`."""
    from pyarrow import fs

    return fs.FileSystem.from_uri(storage) if "://" in storage else (fs.LocalFileSystem(), storage)


def look_at_node(inputs: Sequence[str], room: Mapping[str, float]) -> dict[str, Any]:
    """`identity`; `missing`, those of the paths `inputs` that are not there; `full`, the folders of `room` with fewer
    free bytes than it says they need, each with what is free. A name in braces is a folder of the node's own."""
    free = {}
    for name, needed in room.items():
        folder = _OWN[name]() if name in _OWN else Path(name)
        there = next(path for path in (folder, *folder.parents) if path.exists())
        bytes_free = shutil.disk_usage(there).free
        if bytes_free < needed:
            free[str(folder)] = (bytes_free, needed)
    return {
        "identity": identity(),
        "missing": [path for path in inputs if not Path(path).exists()],
        "full": free,
    }


def look_at_gpus() -> dict[str, Any]:
    """`seen`, the GPUs that torch can use of those that Ray gives this task; `used`, bytes taken on each by whoever;
    `error`, what torch says where it cannot."""
    try:
        import torch

        used = []
        for number in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(number)
            used.append(total - free)
    except Exception as error:
        return {"seen": 0, "used": [], "error": _in_words(error)}
    return {"seen": len(used), "used": used, "error": None}


def train_where_equal(config: dict[str, Any]) -> None:
    """A Ray Train worker's part: serves where the node has what the driver's has. Where it has not, the desk is told,
    and Ray Train starts the workers once more, which then end at once. `config`: `here`, the driver's identity; `desk`;
    `bench`; `serve`, the "module:function" that serves a bench; and `spec`, pickled, since a node without the project
    could not read it.

    Raises RuntimeError on a node that is left out.
    """
    import pickle

    import ray

    desk, bench = config["desk"], config["bench"]
    if ray.get(desk.is_left_out.remote(bench)):
        return
    if told := differences(identity(), config["here"]):
        problem = f"node {ray.util.get_node_ip_address()}: {'; '.join(told)}"
        ray.get(desk.leave_out.remote(bench, ray.get_runtime_context().get_node_id(), problem))
        raise RuntimeError(problem)
    # By name, so that a node without the project can read this module.
    module, _, function = config["serve"].partition(":")
    getattr(importlib.import_module(module), function)(pickle.loads(config["spec"]), bench, desk)


def _reads(storage: str, name: str) -> bool:
    try:
        files, folder = file_system(storage)
        with files.open_input_stream(f"{folder}/{name}") as file:
            return file.read() == BYTES
    except Exception:
        return False


def _hub_cache() -> Path:
    hub = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    return Path(hub) if hub else Path(home) / "hub"


def _rays_folder() -> Path:
    return Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp") / "ray"


def _in_words(error: Exception) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0]


HUB_CACHE, RAYS_FOLDER = "{hub}", "{ray}"
_OWN: dict[str, Callable[[], Path]] = {HUB_CACHE: _hub_cache, RAYS_FOLDER: _rays_folder}
