"""Prepares a search: encodes the data, calibrates the probe, and measures the base model: its losses and its clone."""

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
from trainable.stages.base_losses import measure_base_losses
from trainable.training.validation import end_probability

CALIBRATION = "calibration.json"
FINDINGS = "findings.json"


@dataclass(frozen=True)
class BaselineSettings:
    """The inputs of the baseline, and the folders of its results."""

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


def measure_baseline(settings: BaselineSettings, on_progress: OnProgress) -> Outcome:
    """Encodes the dataset, calibrates the probe, and measures the base model's losses and zero-shot clone: row zero.

    Resumes a call that was cut off. `on_progress(what, done, of)`. Findings about the encoded data and its codec are
    written to `findings.json`. Raises InputError as the dataset, the model and the probe's lines do, and where the
    codes show that nothing can be learned.
    """
    folder = TrialFolder(settings.base)
    earlier = folder.read_outcome()
    if earlier is not None:
        return earlier
    family = load_family(settings.family)
    dataset = load_dataset(settings.sources, settings.auto_reference, settings.cache)
    encoding_plan = plan_encoding(dataset, settings.data, settings.seed)
    findings = family.prepare(
        encoding_plan,
        settings.model,
        settings.prepared,
        settings.cache,
        lambda done, of: on_progress("encoding clips", done, of),
    )
    write_findings(settings.base / FINDINGS, findings)
    raise_errors(findings)
    learner = family.build(settings.model, settings.prepared, settings.language, None, settings.seed)
    losses = measure_base_losses(learner, settings.seed, on_progress)
    on_progress("calibrating the probe", 0, 1)
    calibration, heard = calibrate(learner, settings.probe, lambda clip: encoding_plan.items[clip].wave())
    calibration.write(settings.base / CALIBRATION)
    write_findings(settings.base / FINDINGS, [*findings, *heard])
    lines = lines_for(settings.probe.lines, learner.split)
    others = confirmation_lines(settings.probe.lines, learner.split)
    fingerprint_judge(calibration, settings.probe, lines, others, settings.seed).write(settings.base)
    on_progress("listening to the base model", 0, 1)
    started = time.perf_counter()
    verdicts = probe(
        lambda speakers, prompts: {BASE: learner.speak(prompts, settings.probe.sampling)},
        Listener.open(learner, settings.probe, calibration, settings.seed),
        ProbeScript(lines, settings.seed),
        {BASE: ProbeSubject(settings.base, end_probability=end_probability(learner))},
        whole=True,
    )
    seconds = time.perf_counter() - started
    calibration.with_base(verdicts[BASE]).write(settings.base / CALIBRATION)
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
        base_losses=losses,
    )
    folder.write_outcome(outcome)
    return outcome
