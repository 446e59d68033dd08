"""A prepared voice of the toy family, for trials without Ray."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spaces.band import Band
from spaces.data_settings import AugmentationSettings, DataSettings
from spaces.probe_settings import ProbeSettings
from spaces.records.trial import Outcome
from spaces.records.trial_spec import TrialSpec
from tests.support import toy_family
from tests.support.voices import TEXTS, make_voice
from trainable.dataset.source import Source
from trainable.files.trial_folder import TrialFolder
from trainable.probe.criteria.calibration import Calibration
from trainable.stages.baseline import BaselineSettings, measure_baseline

LINES = (
    "one plain sentence to speak for everybody",
    "another plain sentence here for the probe",
    "a third one that is rather longer than those",
    "and the fourth of all the lines to speak",
    "five is the last one of these lines",
)
BAND = Band(low=0.6, high=1.0)


@dataclass(frozen=True)
class ToyVoice:
    """A prepared voice, and the outcome of its base model."""

    root: Path
    probe: ProbeSettings
    base: Outcome

    def spec(self, name: str, band: Band | None = BAND, **changes) -> TrialSpec:
        recipe = {
            "objective": "distance",
            "vector_lr": 0.33,
            "epochs": 20,
            "batch": 2,
            "accumulation": 1,
        }
        return TrialSpec(
            trial=name,
            folder=str(self.root / name),
            family="tests.support.toy_family",
            model=str(self.root / "model"),
            prepared=str(self.root / "prepared"),
            calibration=str(self.root / "base" / "calibration.json"),
            language="auto",
            seed=0,
            draw=toy_family.ToyDraw(**{**recipe, **changes}),
            band=band,
            probe=self.probe,
        )


def make_toy_voice(root: Path, texts: tuple[str, ...] = TEXTS, augment: AugmentationSettings | None = None) -> ToyVoice:
    """Prepares a voice with these transcripts under `root`."""
    (root / "lines.txt").write_text("\n".join(LINES))
    probe = ProbeSettings(lines=str(root / "lines.txt"), recogniser="none")
    settings = BaselineSettings(
        sources=(Source.parse(str(make_voice(root / "voice", texts))),),
        auto_reference=False,
        cache=root / "cache",
        data=DataSettings(augment=augment),
        family="tests.support.toy_family",
        model=str(toy_family.make_toy_model(root / "model")),
        language="auto",
        seed=0,
        probe=probe,
        prepared=root / "prepared",
        base=root / "base",
    )
    return ToyVoice(root, probe, measure_baseline(settings, lambda what, done, of: None))


PASSES = 4
"""Forward passes per epoch of these trials."""
SECONDS = {"seconds", "gpu_seconds"}
"""Fields of a point that differ from run to run."""
LONG = {"band": Band(low=1e-6, high=1e-5), "vector_lr": 1e-3, "epochs": 2}
"""A trial that uses up its two epochs and is not probed."""
SLOW = {"vector_lr": 0.01, "epochs": 1000}
"""A trial that takes dozens of epochs to the band."""


def in_folder(spec: TrialSpec, folder: Path) -> TrialSpec:
    return spec.model_copy(update={"folder": str(folder / spec.trial)})


def timeless(outcome: Outcome) -> dict:
    own = dict.fromkeys(("train_seconds", "probe_seconds", "gpu_seconds"), True)
    return outcome.model_dump(exclude={**own, "point": SECONDS, "kept": SECONDS, "other_kept": SECONDS})


def timeless_curve(folder: Path) -> list[dict]:
    return [point.model_dump(exclude=SECONDS) for point in TrialFolder(folder).read_points()]


def strict(spec: TrialSpec, folder: Path) -> TrialSpec:
    """A spec with a calibration that no voice matches, so that every trial is rejected and needs more training."""
    calibration = Calibration.read(Path(spec.calibration)).model_copy(
        update={"similarity_least": 2.0, "base_similarity": None}
    )
    calibration.write(folder / "strict.json")
    return in_folder(spec, folder).model_copy(update={"calibration": str(folder / "strict.json")})
