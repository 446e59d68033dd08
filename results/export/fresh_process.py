"""Loads an export in a fresh process and returns what it speaks there.

Nothing in the memory of the exporting process can help it: `python -m results.export.fresh_process REQUEST.json` knows
only the folder. Arrays are passed in `.npz` files, which are read without pickle.
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from spaces.frozen_model import FrozenModel
from spaces.probe_settings import Sampling
from trainable.family.protocol import CodeModel, SpeechPrompt, Utterance, load_family

ROOT = Path(__file__).resolve().parents[2]
REQUEST, CODES, RESULT = "request.json", "codes.npz", "result.npz"


class SpeechRequest(FrozenModel):
    """What the process loads and speaks."""

    family: str
    """Module of the model family."""
    folder: Path
    model: str | None
    """Base model in place of the one that an adapter names."""
    language: str
    sampling: Sampling
    threads: int
    """Torch threads of the caller: with another number, sums round differently."""
    prompts: tuple[tuple[str, int, int], ...]
    """Text, seed and frame cap of each line."""


@dataclass(frozen=True)
class SpeechResult:
    """What the export spoke in the fresh process."""

    utterances: tuple[Utterance, ...]
    logits: np.ndarray | None
    """`trainable.family.protocol.CodeModel.teacher_forced_logits` of the first prompt; None without codes."""


class FreshProcessFailed(RuntimeError):
    """The export could not be loaded, or did not speak."""


def speak_in_fresh_process(request: SpeechRequest, codes: np.ndarray | None) -> SpeechResult:
    """Carries out the request in a new process; `codes`, [frames, codebooks], are of its first prompt; None for a
    family without codes.

    Raises FreshProcessFailed with the last line that the process printed.
    """
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    with tempfile.TemporaryDirectory(prefix="sweetspot-") as name:
        scratch = Path(name)
        if codes is not None:
            np.savez(scratch / CODES, codes=codes)
        (scratch / REQUEST).write_text(request.model_dump_json(), encoding="utf-8")
        # -P: modules in the current folder must not be importable.
        done = subprocess.run(
            [sys.executable, "-P", "-m", "results.export.fresh_process", str(scratch / REQUEST)],
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            errors="replace",
        )
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines()
            raise FreshProcessFailed(lines[-1] if lines else f"exit code {done.returncode}")
        return _read(scratch / RESULT, len(request.prompts))


def run(path: Path) -> None:
    """Carries out the request in that file and writes the result beside it."""
    import torch

    request = SpeechRequest.model_validate_json(path.read_bytes())
    torch.set_num_threads(request.threads)
    synthesiser = load_family(request.family).load_exported(request.folder, request.model, request.language)
    arrays: dict[str, np.ndarray] = {}
    for number, (text, seed, cap) in enumerate(request.prompts):
        utterance = synthesiser.speak(SpeechPrompt(text, seed, cap), request.sampling)
        arrays[f"wave_{number}"] = utterance.wave
        if utterance.codes is not None:
            arrays[f"codes_{number}"] = utterance.codes
        arrays[f"counts_{number}"] = np.array([utterance.frames, utterance.frame_cap, utterance.eos])
    if path.with_name(CODES).is_file():
        with np.load(path.with_name(CODES), allow_pickle=False) as given:
            model = cast(CodeModel, synthesiser)
            arrays["logits"] = model.teacher_forced_logits(request.prompts[0][0], given["codes"])
    np.savez(path.with_name(RESULT), allow_pickle=False, **arrays)


def _read(path: Path, count: int) -> SpeechResult:
    with np.load(path, allow_pickle=False) as file:
        utterances = []
        for number in range(count):
            frames, cap, eos = (int(value) for value in file[f"counts_{number}"])
            utterances.append(Utterance(file[f"wave_{number}"], frames, cap, bool(eos), file.get(f"codes_{number}")))
        return SpeechResult(tuple(utterances), file.get("logits"))


if __name__ == "__main__":
    run(Path(sys.argv[1]))
