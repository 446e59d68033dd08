"""What every trial stands on: prepared data, the probe's yardsticks, and the base model's own verdict."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from spaces.cli import OnProgress
from spaces.data_settings import DataSettings
from spaces.probe_settings import ProbeSettings
from spaces.records.trial import BASE, Outcome
from trainable.dataset.encoding_plan import plan_encoding
from trainable.dataset.finding import raise_errors, write_findings
from trainable.dataset.loading.load import load_dataset
from trainable.dataset.source import Source
from trainable.family.protocol import load_family
from trainable.files.trial_folder import TrialFolder
from trainable.probe.criteria.calibration import calibrate
from trainable.probe.criteria.judge_fingerprint import fingerprint_judge
from trainable.probe.session.listener import Listener
from trainable.probe.session.probe import ProbeScript, ProbeSubject, probe
from trainable.probe.texts.lines import confirmation_lines, lines_for
from trainable.training.validation import end_probability

CALIBRATION = "calibration.json"
FINDINGS = "findings.json"


@dataclass(frozen=True)
class BaselineSettings:
    """Everything that decides what a search stands on, and where it is laid."""

    sources: tuple[Source, ...]
    auto_reference: bool
    cache: Path
    data: DataSettings
    family: str
    """Module of the model family."""
    model: str
    language: str
    seed: int
    probe: ProbeSettings
    prepared: Path
    """Folder for the prepared data."""
    base: Path
    """Folder for calibration, findings and the base model's recordings."""


def measure_baseline(plan: BaselineSettings, on_progress: OnProgress) -> Outcome:
    """Encodes the dataset, calibrates the probe on it, and probes the base model's zero-shot clone: row zero.

    `on_progress(what, done, of)`. What an earlier, cut-off call completed is kept. What the encoded data tells about
    the dataset is left in `findings.json`. Raises InputError as the dataset, the model or the probe's lines do, and
    where the codes show that there is nothing to learn from.
    """
    folder = TrialFolder(plan.base)
    earlier = folder.read_outcome()
    if earlier is not None:
        return earlier
    family = load_family(plan.family)
    dataset = load_dataset(plan.sources, plan.auto_reference, plan.cache)
    encoding_plan = plan_encoding(dataset, plan.data, plan.seed)
    findings = family.prepare(
        encoding_plan, plan.model, plan.prepared, plan.cache, lambda done, of: on_progress("encoding clips", done, of)
    )
    write_findings(plan.base / FINDINGS, findings)
    raise_errors(findings)
    learner = family.build(plan.model, plan.prepared, plan.language, None, plan.seed)
    learner.eval()
    on_progress("calibrating the probe", 0, 1)
    calibration = calibrate(learner, plan.probe)
    calibration.write(plan.base / CALIBRATION)
    lines = lines_for(plan.probe.lines, learner.split)
    others = confirmation_lines(plan.probe.lines, learner.split)
    fingerprint_judge(calibration, plan.probe, lines, others, plan.seed).write(plan.base)
    on_progress("listening to the base model", 0, 1)
    started = time.perf_counter()
    verdicts = probe(
        lambda speakers, cues: {BASE: learner.speak(cues, plan.probe.sampling)},
        Listener.open(learner, plan.probe, calibration, plan.seed),
        ProbeScript(lines, plan.seed),
        {BASE: ProbeSubject(plan.base, end_probability=end_probability(learner))},
        whole=True,
    )
    seconds = time.perf_counter() - started
    calibration.with_base(verdicts[BASE]).write(plan.base / CALIBRATION)
    outcome = Outcome(
        trial=BASE,
        ending=None,
        reason="the base model's zero-shot clone, untrained",
        draw=None,
        point=None,
        kept=None,
        checkpoint=None,
        verdict=verdicts[BASE],
        train_seconds=0.0,
        probe_seconds=seconds,
        gpu_seconds=seconds,
    )
    folder.write_outcome(outcome)
    return outcome
