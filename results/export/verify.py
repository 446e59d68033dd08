"""Verifies an export: whether it speaks like the trained model, in a fresh process that knows only its files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch

from results.export.adapter_manifest import AdapterManifest, MergedWeights, UnfaithfulExport
from results.export.fresh_process import FreshProcessFailed, SpeechRequest, speak_in_fresh_process
from results.export.samples import sample_name
from spaces.probe_settings import ProbeSettings
from spaces.records.verdict import ProbeLine, Verdict
from trainable.family.protocol import CodeModel, Learner, SpeechPrompt, Utterance
from trainable.probe.criteria.calibration import Calibration

EXACT_TOLERANCE, ROUNDED_TOLERANCE = 1e-3, 0.05
"""Tolerances of a merged checkpoint's logits: with weights and arithmetic in float32, and with either in bfloat16.
Rounding a weight to bfloat16 changes it by 0.1 % (root mean square), and the layers add such changes up. Start values:
no large model has been measured. The first is the tolerance of waves too, of a family without codes."""


@dataclass(frozen=True)
class WrittenExport:
    """An export to verify."""

    folder: Path
    manifest: AdapterManifest
    """The manifest that is to be written."""
    model: str
    """The base model of the training."""
    probe: ProbeSettings


@dataclass(frozen=True)
class ExportCheck:
    """What the export spoke."""

    sample: Utterance
    lines: tuple[tuple[str, Utterance], ...] = ()
    """Texts with which a merged checkpoint was probed, and its utterances."""
    merged: MergedWeights | None = None


def verify_export(written: WrittenExport, learner: Learner, calibration: Calibration) -> ExportCheck:
    """An adapter must speak the sample in the same codes as the trained model. A merged checkpoint, whose sums round
    differently, must give the same logits within a tolerance, and is probed again on four lines. Of a family
    without codes, waves are compared.

    Raises UnfaithfulExport, which says what differs.
    """
    manifest = written.manifest
    text, is_whole = manifest.sample_text, manifest.export_layout.is_whole
    sample = SpeechPrompt(text, manifest.seed, calibration.tempo.frame_cap(text))
    (trained,) = learner.speak([sample], manifest.sampling)
    lines = _probe_lines(written, learner, calibration) if is_whole else []
    prompts = [sample, *(prompt for _, prompt in lines)]
    try:
        request = SpeechRequest(
            family=manifest.family,
            folder=written.folder,
            model=None if is_whole else written.model,
            language=manifest.language,
            sampling=manifest.sampling,
            threads=torch.get_num_threads(),
            prompts=tuple((prompt.text, prompt.seed, prompt.frame_cap) for prompt in prompts),
        )
        result = speak_in_fresh_process(request, trained.codes)
    except FreshProcessFailed as error:
        raise UnfaithfulExport(
            f"trial {manifest.trial}: the export could not be loaded again ({error}). Nothing was exported"
        ) from None
    spoken, fresh = result.utterances[0], result.utterances[1:]
    if not is_whole:
        _check_equal(manifest.trial, text, trained, spoken)
        return ExportCheck(spoken)
    compared, difference = "waves", relative_difference(trained.wave[None], spoken.wave[None])
    if trained.codes is not None and result.logits is not None:
        logits = cast(CodeModel, learner).teacher_forced_logits(text, trained.codes)
        compared, difference = "logits", relative_difference(logits, result.logits)
    tolerance = tolerance_of(written.folder)
    if not difference <= tolerance:
        raise UnfaithfulExport(
            f"trial {manifest.trial}: the merged checkpoint's {compared} differ from the adapter's by "
            f"{difference:.2g}, expected {tolerance:g} at most. Nothing was exported"
        )
    verdict = _verdict(written, learner, calibration, [line for line, _ in lines], fresh)
    if manifest.accepted and not verdict.accepted:
        raise UnfaithfulExport(
            f"trial {manifest.trial} was accepted, but the checkpoint merged from it was rejected: "
            f"{'; '.join(verdict.reasons)}. Nothing was exported; export the adapter instead"
        )
    merged = MergedWeights(difference=difference, tolerance=tolerance, verdict=verdict)
    return ExportCheck(spoken, tuple(zip((line.text for line, _ in lines), fresh, strict=True)), merged)


def relative_difference(expected: np.ndarray, actual: np.ndarray) -> float:
    """Root mean square of the difference over that of the expected logits, each row centred: a constant added to a row
    changes no probability. Both arrays: [rows, vocabulary]. Infinite where a value is not finite or the shapes differ.
    """
    if expected.shape != actual.shape:
        return float("inf")
    centred, other = (each - each.mean(axis=1, keepdims=True) for each in (expected, actual))
    difference = float(np.sqrt(np.mean((centred - other) ** 2)) / max(np.sqrt(np.mean(centred**2)), 1e-12))
    return difference if np.isfinite(difference) else float("inf")


def tolerance_of(folder: Path) -> float:
    """The tolerance of a checkpoint's logits, by the types of its weights and of this machine's arithmetic."""
    import torch
    from safetensors import safe_open

    if torch.cuda.is_available():
        return ROUNDED_TOLERANCE
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="np") as file:
            if any(file.get_slice(name).get_dtype() in ("BF16", "F16") for name in sorted(file.keys())):
                return ROUNDED_TOLERANCE
    return EXACT_TOLERANCE


def _check_equal(trial: str, text: str, trained: Utterance, exported: Utterance) -> None:
    """On the same device and in the same type, equal weights, text, seed and batch give equal speech."""
    if trained.codes is None or exported.codes is None:
        is_equal = relative_difference(trained.wave[None], exported.wave[None]) <= EXACT_TOLERANCE
    else:
        is_equal = np.array_equal(trained.codes, exported.codes)
    if trained.eos != exported.eos or not is_equal:
        raise UnfaithfulExport(
            f"trial {trial}: the exported adapter says “{text}” in {exported.frames} frames and the trained one in "
            f"{trained.frames}, or differently; expected equal speech. Nothing was exported"
        )


def _probe_lines(
    written: WrittenExport, learner: Learner, calibration: Calibration
) -> list[tuple[ProbeLine, SpeechPrompt]]:
    """The first deciding lines of the search's own probe, each with the prompt of that probe."""
    from trainable.probe.criteria.judge import SCREEN_LINES
    from trainable.probe.texts.lines import lines_for

    numbered = enumerate(lines_for(written.probe.lines, learner.split))
    deciding = [(number, line) for number, line in numbered if line.decides]
    seed, cap = written.manifest.seed, calibration.tempo.frame_cap
    return [(line, SpeechPrompt(line.text, seed + number, cap(line.text))) for number, line in deciding[:SCREEN_LINES]]


def _verdict(
    written: WrittenExport,
    learner: Learner,
    calibration: Calibration,
    lines: Sequence[ProbeLine],
    utterances: Sequence[Utterance],
) -> Verdict:
    from trainable.probe.criteria.judge import make_verdict
    from trainable.probe.session.listener import Listener

    listener = Listener.open(learner, written.probe, calibration, written.manifest.seed)
    spoken = listener.judge_lines(lines, utterances, [sample_name(index) for index in range(len(lines))])
    voice = listener.match_speaker([each.wave for each in utterances])
    return make_verdict(spoken, len(lines), voice, strength=written.manifest.strength, judge=listener.fingerprint)
