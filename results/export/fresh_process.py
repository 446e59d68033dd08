"""Loads an export in a process of its own, as anybody would, and says what it speaks there.

What the exporting process has in memory cannot help it: `python -m results.export.fresh_process ERRAND.json` knows the
folder alone. Arrays travel in `.npz` files, which are read without pickle.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from spaces.probe_settings import Sampling
from trainable.family.protocol import SpeechPrompt, Utterance, load_family

ROOT = Path(__file__).resolve().parents[2]
EXPECTED, ANSWER = "expected.npz", "answer.npz"


class SpeechRequest(BaseModel):
    """What the process is to do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: str
    """Module of the model family."""
    folder: Path
    model: str | None
    """Base model in place of the one that an adapter names."""
    language: str
    sampling: Sampling
    threads: int
    """Of the caller's arithmetic: with another number of them sums round otherwise."""
    cues: tuple[tuple[str, int, int], ...]
    """Text, seed and frame cap of each line that is spoken."""


@dataclass(frozen=True)
class SpeechResult:
    """What the export says in a process of its own."""

    utterances: tuple[Utterance, ...]
    teacher_forced_logits: np.ndarray
    """[frames + 1, vocabulary]: see `trainable.family.protocol.Synthesiser.teacher_forced_logits`."""


class FreshProcessFailed(RuntimeError):
    """The export could not be loaded, or did not speak."""


def speak_in_fresh_process(
    family: str,
    folder: Path,
    model: str | None,
    language: str,
    cues: Sequence[SpeechPrompt],
    sampling: Sampling,
    codes: np.ndarray,
) -> SpeechResult:
    """Lets a new process load `folder`, say the cues, and look at `codes`, [frames, codebooks], of the first of them.

    Raises FreshProcessFailed with the process's own last words.
    """
    import torch

    errand = SpeechRequest(
        family=family,
        folder=folder,
        model=model,
        language=language,
        sampling=sampling,
        threads=torch.get_num_threads(),
        cues=tuple((cue.text, cue.seed, cue.frame_cap) for cue in cues),
    )
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    with tempfile.TemporaryDirectory(prefix="sweetspot-") as scratch:
        np.savez(Path(scratch) / EXPECTED, codes=codes)
        (Path(scratch) / "errand.json").write_text(errand.model_dump_json(), encoding="utf-8")
        # -P: what lies in the current folder is not importable there.
        done = subprocess.run(
            [sys.executable, "-P", "-m", "results.export.fresh_process", str(Path(scratch) / "errand.json")],
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            errors="replace",
        )
        if done.returncode != 0:
            words = done.stderr.strip().splitlines()
            raise FreshProcessFailed(words[-1] if words else f"exit code {done.returncode}")
        return _read(Path(scratch) / ANSWER, len(cues))


def run(path: Path) -> None:
    """Does the errand in that file and leaves the answer beside it."""
    import torch

    errand = SpeechRequest.model_validate_json(path.read_bytes())
    torch.set_num_threads(errand.threads)
    speaker = load_family(errand.family).load_exported(errand.folder, errand.model, errand.language)
    arrays: dict[str, np.ndarray] = {}
    for number, (text, seed, cap) in enumerate(errand.cues):
        said = speaker.speak(SpeechPrompt(text, seed, cap), errand.sampling)
        arrays[f"wave_{number}"], arrays[f"codes_{number}"] = said.wave, said.codes
        arrays[f"counts_{number}"] = np.array([said.frames, said.frame_cap, said.eos])
    with np.load(path.with_name(EXPECTED), allow_pickle=False) as given:
        arrays["teacher_forced_logits"] = speaker.teacher_forced_logits(errand.cues[0][0], given["codes"])
    np.savez(path.with_name(ANSWER), **arrays)


def _read(path: Path, count: int) -> SpeechResult:
    with np.load(path, allow_pickle=False) as file:
        said = []
        for number in range(count):
            frames, cap, eos = (int(value) for value in file[f"counts_{number}"])
            said.append(Utterance(file[f"wave_{number}"], frames, cap, bool(eos), file[f"codes_{number}"]))
        return SpeechResult(tuple(said), file["teacher_forced_logits"])


if __name__ == "__main__":
    run(Path(sys.argv[1]))
