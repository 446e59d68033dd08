"""Whether what was written speaks like what was trained, found out in a process that knows the files alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from results.export.adapter_manifest import AdapterManifest, MergedWeights, UnfaithfulExport
from results.export.fresh_process import FreshProcessFailed, speak_in_fresh_process
from spaces.probe_settings import ProbeSettings
from spaces.records.verdict import Verdict
from trainable.family.protocol import Learner, SpeechPrompt, Utterance
from trainable.probe.criteria.calibration import Calibration

EXACT_TOLERANCE, ROUNDED_TOLERANCE = 1e-3, 0.05
"""Tolerances of a merged checkpoint's logits: where weights and arithmetic are float32, and where one of them is
bfloat16. Rounding a weight to that changes it by 0.1 % (root mean square), and the layers add such changes up. Start
values: no large model has been measured."""


@dataclass(frozen=True)
class WrittenExport:
    """What is to be proved."""

    folder: Path
    exported: AdapterManifest
    """What is to be said of it."""
    model: str
    """The base model that was trained on."""
    probe: ProbeSettings


@dataclass(frozen=True)
class ExportCheck:
    """What the export said."""

    sample: Utterance
    lines: tuple[tuple[str, Utterance], ...] = ()
    """Texts that a merged checkpoint was heard with, and how it said them."""
    merged: MergedWeights | None = None


def verify_export(written: WrittenExport, learner: Learner, calibration: Calibration) -> ExportCheck:
    """An adapter has to say the sample in the same codes as the trained model. A merged checkpoint, whose sums round
    otherwise, has to expect the same of it within a tolerance, and is probed anew on four lines.

    Raises UnfaithfulExport, which says what differs.
    """
    about = written.exported
    text, is_whole = about.sample_text, about.layout.is_whole
    sample = SpeechPrompt(text, about.seed, calibration.tempo.frame_cap(text))
    (trained,) = learner.speak([sample], about.sampling)
    numbers, cues = _fresh_lines(written, learner, calibration) if is_whole else ((), ())
    model = None if is_whole else written.model
    try:
        answer = speak_in_fresh_process(
            about.family, written.folder, model, about.language, [sample, *cues], about.sampling, trained.codes
        )
    except FreshProcessFailed as error:
        raise UnfaithfulExport(
            f"trial {about.trial}: what was written could not be loaded again ({error}). Nothing was exported"
        ) from None
    said, fresh = answer.utterances[0], answer.utterances[1:]
    if not is_whole:
        _check_equal(about.trial, text, trained, said)
        return ExportCheck(said)
    difference = relative_difference(learner.teacher_forced_logits(text, trained.codes), answer.teacher_forced_logits)
    tolerance = tolerance_of(written.folder)
    if not difference <= tolerance:
        raise UnfaithfulExport(
            f"trial {about.trial}: the merged checkpoint's logits differ from the adapter's by {difference:.2g}, "
            f"expected {tolerance:g} at most. Nothing was exported"
        )
    verdict = _verdict(written, learner, calibration, numbers, fresh)
    if about.accepted and not verdict.accepted:
        raise UnfaithfulExport(
            f"trial {about.trial} was accepted, but what was merged from it was rejected: "
            f"{'; '.join(verdict.reasons)}. Nothing was exported; the adapter itself can be"
        )
    texts = (cue.text for cue in cues)
    merged = MergedWeights(difference=difference, tolerance=tolerance, verdict=verdict)
    return ExportCheck(said, tuple(zip(texts, fresh, strict=True)), merged)


def relative_difference(expected: np.ndarray, got: np.ndarray) -> float:
    """Root mean square of the difference over that of what was expected, each row about its mean: a constant added to a
    row's logits changes no probability. Both: [rows, vocabulary]. Infinite where anything is not finite.
    """
    if expected.shape != got.shape:
        return float("inf")
    centred, other = (each - each.mean(axis=1, keepdims=True) for each in (expected, got))
    difference = float(np.sqrt(np.mean((centred - other) ** 2)) / max(np.sqrt(np.mean(centred**2)), 1e-12))
    return difference if np.isfinite(difference) else float("inf")


def tolerance_of(folder: Path) -> float:
    """For a checkpoint's folder: by the types that its weights are stored in, and that this machine computes in."""
    import torch
    from safetensors import safe_open

    if torch.cuda.is_available():
        return ROUNDED_TOLERANCE
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="np") as file:
            if any(file.get_slice(name).get_dtype() in ("BF16", "F16") for name in sorted(file.keys())):
                return ROUNDED_TOLERANCE
    return EXACT_TOLERANCE


def _check_equal(trial: str, text: str, trained: Utterance, written: Utterance) -> None:
    """On the same device in the same type, equal weights, text, seed and batch give equal codes."""
    if trained.eos != written.eos or not np.array_equal(trained.codes, written.codes):
        raise UnfaithfulExport(
            f"trial {trial}: the exported adapter says “{text}” in {written.frames} frames and the trained one in "
            f"{trained.frames}, or with other codes; expected equal speech. Nothing was exported"
        )


def _fresh_lines(
    written: WrittenExport, learner: Learner, calibration: Calibration
) -> tuple[list[int], list[SpeechPrompt]]:
    """The first lines of the search's own probe that count: their numbers in it, and their cues."""
    from trainable.probe.criteria.judge import SCREEN_LINES
    from trainable.probe.texts.lines import lines_for

    lines = lines_for(written.probe.lines, learner.split)
    numbers = [number for number, line in enumerate(lines) if line.decides][:SCREEN_LINES]
    return numbers, [
        SpeechPrompt(
            lines[number].text, written.exported.seed + number, calibration.tempo.frame_cap(lines[number].text)
        )
        for number in numbers
    ]


def _verdict(
    written: WrittenExport,
    learner: Learner,
    calibration: Calibration,
    numbers: Sequence[int],
    said: Sequence[Utterance],
) -> Verdict:
    from trainable.probe.criteria.judge import conclude
    from trainable.probe.session.listener import Listener
    from trainable.probe.texts.lines import lines_for

    listener = Listener.open(learner, written.probe, calibration, written.exported.seed)
    every = lines_for(written.probe.lines, learner.split)
    lines = [every[number] for number in numbers]
    heard = listener.listen(lines, said, [sample_name(place) for place in range(len(lines))])
    voice = listener.hear_voice([each.wave for each in said])
    return conclude(heard, len(lines), voice, strength=written.exported.strength, judge=listener.fingerprint)


def sample_name(place: int) -> str:
    """Of a recording in an export's folder."""
    return f"samples/line_{place:02d}.wav"
