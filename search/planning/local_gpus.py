"""The GPUs of this machine, read from `nvidia-smi`, which is seconds faster than importing torch or Ray."""

import shutil
import subprocess

from search.planning.cost_table import GPU_CLASSES, GpuModel

QUERY = ("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits")
TIMEOUT_SECONDS = 20


def local_gpus() -> list[GpuModel]:
    """One entry per NVIDIA GPU; empty if there is none or `nvidia-smi` fails."""
    if shutil.which(QUERY[0]) is None:
        return []
    try:
        output = subprocess.run(QUERY, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return parse_nvidia_smi(output)


def parse_nvidia_smi(output: str) -> list[GpuModel]:
    """Parses lines `NAME, MEBIBYTES`, skips others. A GPU gets the speed of the largest class that fits its memory."""
    gpus = []
    for line in output.splitlines():
        name, _, mebibytes = line.rpartition(",")
        if name and mebibytes.strip().isdigit():
            memory = float(mebibytes) * 2**20
            smaller = [gpu for gpu in GPU_CLASSES if gpu.memory <= 1.05 * memory]
            similar = max(smaller, key=lambda gpu: gpu.memory, default=GPU_CLASSES[0])
            gpus.append(GpuModel(name.strip(), memory, similar.flops, similar.call_seconds))
    return gpus
