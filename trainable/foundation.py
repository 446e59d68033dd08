"""What every trial stands on: prepared data, the probe's yardsticks, and the base model's own verdict."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from spaces.probe_settings import ProbeSettings
from spaces.trial import Outcome
from trainable.dataset import load_dataset
from trainable.family import load_family
from trainable.probe.calibration import calibrate
from trainable.probe.probe import probe
from trainable.trial_folder import TrialFolder

CALIBRATION = "calibration.json"
BASE = "base"


def lay_foundation(
    data: Path,
    auto_reference: bool,
    family: str,
    model: str,
    language: str,
    seed: int,
    settings: ProbeSettings,
    prepared: Path,
    base: Path,
    on_progress: Callable[[str, int, int], None],
) -> Outcome:
    """Encodes the dataset, calibrates the probe on it, and probes the base model's zero-shot clone: row zero.

    `on_progress(what, done, of)`. What an earlier, cut-off call completed is kept. Raises InputError as the dataset,
    the model or the probe's lines do.
    """
    folder = TrialFolder(base)
    earlier = folder.read_outcome()
    if earlier is not None:
        return earlier
    maker = load_family(family)
    dataset = load_dataset(data, auto_reference)
    maker.prepare(dataset, model, prepared, lambda done, of: on_progress("encoding clips", done, of))
    learner = maker.build(model, prepared, language, None, seed)
    learner.eval()
    on_progress("calibrating the probe", 0, 1)
    calibration = calibrate(learner, settings)
    calibration.write(base / CALIBRATION)
    on_progress("listening to the base model", 0, 1)
    started = time.perf_counter()
    verdicts = probe(
        lambda speakers, lines, seed, caps: {BASE: learner.speak(lines, seed, caps, settings.sampling)},
        learner,
        settings,
        calibration,
        seed,
        {BASE: folder.recordings},
        whole=True,
    )
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
        probe_seconds=time.perf_counter() - started,
    )
    folder.write_outcome(outcome)
    return outcome
