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

import numpy as np

from spaces.frozen_model import FrozenModel
from spaces.probe_settings import Sampling
from trainable.family.protocol import SpeechPrompt, Utterance, load_family

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
    logits: np.ndarray
    """[frames + 1, vocabulary]: `trainable.family.protocol.Synthesiser.teacher_forced_logits` of the first prompt."""


class FreshProcessFailed(RuntimeError):
    """The export could not be loaded, or did not speak."""


def speak_in_fresh_process(request: SpeechRequest, codes: np.ndarray) -> SpeechResult:
    """Carries out the request in a new process; `codes`, [frames, codebooks], are of its first prompt.

    Raises FreshProcessFailed with the last line that the process printed.
    """
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    with tempfile.TemporaryDirectory(prefix="sweetspot-") as name:
        scratch = Path(name)
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


def codes_of(utterance: Utterance) -> np.ndarray:
    """[frames, codebooks] int64. Raises FreshProcessFailed for a family that gives none."""
    if utterance.codes is None:
        raise FreshProcessFailed("the model family returned an utterance without codes")
    return utterance.codes


def run(path: Path) -> None:
    """Carries out the request in that file and writes the result beside it."""
    import torch

    request = SpeechRequest.model_validate_json(path.read_bytes())
    torch.set_num_threads(request.threads)
    synthesiser = load_family(request.family).load_exported(request.folder, request.model, request.language)
    arrays: dict[str, np.ndarray] = {}
    for number, (text, seed, cap) in enumerate(request.prompts):
        utterance = synthesiser.speak(SpeechPrompt(text, seed, cap), request.sampling)
        arrays[f"wave_{number}"], arrays[f"codes_{number}"] = utterance.wave, codes_of(utterance)
        arrays[f"counts_{number}"] = np.array([utterance.frames, utterance.frame_cap, utterance.eos])
    with np.load(path.with_name(CODES), allow_pickle=False) as given:
        arrays["logits"] = synthesiser.teacher_forced_logits(request.prompts[0][0], given["codes"])
    np.savez(path.with_name(RESULT), allow_pickle=False, **arrays)


def _read(path: Path, count: int) -> SpeechResult:
    with np.load(path, allow_pickle=False) as file:
        utterances = []
        for number in range(count):
            frames, cap, eos = (int(value) for value in file[f"counts_{number}"])
            utterances.append(Utterance(file[f"wave_{number}"], frames, cap, bool(eos), file[f"codes_{number}"]))
        return SpeechResult(tuple(utterances), file["logits"])


if __name__ == "__main__":
    run(Path(sys.argv[1]))
