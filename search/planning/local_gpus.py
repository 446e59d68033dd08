"""Which GPUs this machine has, asked of their driver: seconds before Ray or torch could say it."""

from __future__ import annotations

import shutil
import subprocess

from search.planning.cost_table import GPU_CLASSES, GpuModel

QUERY = ("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits")
ANSWER_SECONDS = 20


def local_gpus() -> list[GpuModel]:
    """One for each NVIDIA GPU, with the speed of the class that its memory puts it in; none where none answers."""
    if shutil.which(QUERY[0]) is None:
        return []
    try:
        answer = subprocess.run(QUERY, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return parse_nvidia_smi(answer)


def parse_nvidia_smi(answer: str) -> list[GpuModel]:
    """Of `nvidia-smi`'s lines `NAME, MEBIBYTES`; a line that reads otherwise is passed over."""
    found = []
    for line in answer.splitlines():
        name, _, mebibytes = line.rpartition(",")
        if name and mebibytes.strip().isdigit():
            memory = float(mebibytes) * 2**20
            like = max(
                (card for card in GPU_CLASSES if card.memory <= 1.05 * memory),
                key=lambda card: card.memory,
                default=GPU_CLASSES[0],
            )
            found.append(GpuModel(name.strip(), memory, like.flops, like.call_seconds))
    return found
