"""Exports a trial of a run: rebuilds it, writes it in a layout, verifies it in a fresh process, and describes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from results.analysis.ranking import compare_with_base, is_accepted, last_verdict
from results.export.adapter_manifest import MANIFEST, AdapterManifest
from results.export.card import base_name, write_card
from results.export.folder import export_folder, file_hashes
from results.export.recipe import RECIPE, command, write_recipe
from results.export.samples import export_samples, probe_samples, sample_name
from results.run.ledger import History, SearchStarted, read_ledger
from results.run.run_folder import RunFolder, require_known_family
from spaces.cli import OnProgress, no_progress
from spaces.draw import Draw
from spaces.errors import InputError
from spaces.export_layout import ExportLayout
from spaces.families import family_entry
from spaces.probe_settings import ProbeSettings
from spaces.records.trial import Outcome
from trainable.family.export_request import ExportRequest, ReferenceClip, speaker_name
from trainable.files.atomic import write_text

if TYPE_CHECKING:
    from results.export.verify import ExportCheck
    from trainable.probe.criteria.calibration import Calibration

DEFAULT_SAMPLE_TEXT = "One two three."
"""The sample text when neither the trial nor the base model was probed."""
UNKNOWN_LICENCE = "unknown"
_LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]*")


@dataclass(frozen=True)
class ExportOptions:
    """Options of an export."""

    layout: ExportLayout | None = None
    """None for the family's first."""
    base: str | None = None
    """Hub id of the base model for files and card, where the run names a local folder."""
    licence: str = UNKNOWN_LICENCE
    """Identifier of the voice's licence, such as cc-by-4.0."""

    def __post_init__(self) -> None:
        if not _LICENCE.fullmatch(self.licence):
            raise InputError(
                f"--licence {self.licence!r}: expected an identifier such as cc-by-4.0, apache-2.0, other or "
                f"{UNKNOWN_LICENCE}"
            )


def export_trial(
    run: RunFolder,
    trial: str,
    folder: Path,
    options: ExportOptions = ExportOptions(),
    on_progress: OnProgress = no_progress,
    family: str | None = None,
) -> Path:
    """Exports the kept checkpoint of a trial into `folder`, whatever its verdict, and returns the folder. An earlier
    export there is replaced.

    `family` is the module of the model family; by default the run's own, which must be registered. Raises InputError
    for an unknown family or trial, a trial without a checkpoint, a layout that cannot hold it, or a folder with other
    content, and UnfaithfulExport when the export does not speak like the trained model. Then `folder` is unchanged.
    """
    history = read_ledger(run.ledger)
    outcome, draw, checkpoint = _exportable(history, trial)
    if history.search is None:
        raise InputError(f"{run.ledger}: the start of the search is missing; {'; '.join(history.problems)}")
    family = family or require_known_family(history.search.family, f"{run.ledger}")
    folder = folder.resolve()
    with export_folder(folder) as part:
        _Export(run, history, history.search, family, outcome, draw, checkpoint, options, on_progress).write(part)
    return folder


def _exportable(history: History, trial: str) -> tuple[Outcome, Draw, str]:
    """The outcome of a trial that can be exported, its draw, and its checkpoint relative to the trial's folder."""
    outcome = history.outcomes.get(trial)
    if outcome is None:
        state = "has not ended" if trial in history.drawn else "is unknown"
        known = ", ".join(name for name, each in history.outcomes.items() if each.checkpoint) or "none yet"
        raise InputError(f"trial {trial} {state}; trials that can be exported: {known}")
    if outcome.checkpoint is None or outcome.draw is None:
        raise InputError(f"trial {trial} kept no checkpoint ({outcome.ending}: {outcome.reason}); give another --trial")
    return outcome, outcome.draw, outcome.checkpoint


@dataclass(frozen=True)
class _Export:
    run: RunFolder
    history: History
    search: SearchStarted
    family: str
    outcome: Outcome
    draw: Draw
    checkpoint: str
    """Relative to the trial's folder."""
    options: ExportOptions
    on_progress: OnProgress

    def write(self, part: Path) -> None:
        """Fills an empty folder; the manifest comes last."""
        from results.export.verify import WrittenExport, verify_export
        from trainable.family.protocol import load_family
        from trainable.stages.confirm import scale_lora
        from trainable.training.checkpoint import load_weights

        search, outcome = self.search, self.outcome
        checkpoint = self._checkpoint_path()
        layout = self.options.layout or next(iter(family_entry(self.family).layouts))
        reference = self._reference() if layout.has_reference else None
        self._progress("loading the base model", 0)
        family = load_family(self.family)
        calibration = self._calibration()
        verdict = last_verdict(outcome, self.history)
        strength = verdict.strength if verdict else 1.0
        learner = family.build(search.model, self.run.prepared, search.space["language"], self.draw, search.seed)
        learner.load_tensors(scale_lora(load_weights(checkpoint), strength))
        learner.eval()

        self._progress(f"writing {outcome.trial} as {layout}", 1)
        request = ExportRequest(
            layout=layout,
            model=search.model,
            base_name=self.options.base or search.model,
            speaker=speaker_name(search.voice),
            outcome=outcome,
            reference=reference,
        )
        family.export(learner, request, part)

        self._progress("loading the export in a fresh process and letting it speak", 2)
        probe = ProbeSettings.model_validate(search.space["probe"])
        manifest = AdapterManifest(
            trial=outcome.trial,
            draw=self.draw,
            outcome=outcome,
            final=self.history.confirmations.get(outcome.trial),
            accepted=is_accepted(outcome, self.history),
            strength=strength,
            layout=layout,
            family=self.family,
            base_model=request.base_name,
            language=search.space["language"],
            seed=search.seed,
            sampling=probe.sampling,
            tempo=calibration.tempo,
            fingerprint=search.fingerprint,
            licence=self.options.licence,
            sample_text=self._sample_text(),
        )
        written = WrittenExport(part, manifest, search.model, probe)
        self._describe(part, manifest, verify_export(written, learner, calibration))

    def _describe(self, part: Path, manifest: AdapterManifest, check: ExportCheck) -> None:
        """Adds recordings, recipe, card and manifest to a folder of weights."""
        from trainable.speech.audio import write_audio

        write_audio(part / "sample.wav", check.sample.wave)
        for index, (_, utterance) in enumerate(check.lines):
            write_audio(part / sample_name(index), utterance.wave)
        if check.lines:
            samples = export_samples(self.run, self.history, tuple(line for line, _ in check.lines), part)
        else:
            samples = probe_samples(self.run, self.history, self.outcome, part)
        manifest = manifest.model_copy(update={"merged": check.merged})
        name = base_name(manifest.base_model)
        band = self.history.band_of(manifest.trial)
        write_recipe(part / RECIPE, self.search, manifest.trial, manifest.draw, band, name)
        replay = command(self.search, name if name == manifest.base_model else f"path/to/{name}")
        versus = compare_with_base(self.outcome, self.history)
        write_card(part, manifest, self.search.voice, versus, samples, replay)
        manifest = manifest.model_copy(update={"files": file_hashes(part)})
        write_text(part / MANIFEST, manifest.model_dump_json(indent=1) + "\n")

    def _calibration(self) -> Calibration:
        from trainable.probe.criteria.calibration import Calibration

        try:
            return Calibration.read(self.run.calibration)
        except ValidationError:
            raise InputError(
                f"{self.run.calibration}: not readable by this Sweetspot; export with the version that ran the search"
            ) from None

    def _checkpoint_path(self) -> Path:
        checkpoint = self.run.trial(self.outcome.trial) / self.checkpoint
        if not checkpoint.resolve().is_relative_to(self.run.path.resolve()):
            raise InputError(f"{self.run.ledger}: names a checkpoint outside the run, {self.checkpoint}")
        for needed in (self.run.prepared, self.run.calibration, checkpoint):
            if not needed.exists():
                raise InputError(
                    f"{needed}: missing, so trial {self.outcome.trial} cannot be rebuilt; put this part of the run back"
                )
        return checkpoint

    def _reference(self) -> ReferenceClip:
        """The reference clip of the first speaker, from the dataset: a run keeps no copy of it."""
        from trainable.dataset.loading.load import load_dataset
        from trainable.dataset.source import Source
        from trainable.files.cache import cache_folder

        self._progress("loading the dataset for its reference clip", 0)
        sources = tuple(Source.parse(source) for source in self.search.data)
        dataset = load_dataset(sources, self.search.auto_reference, cache_folder())
        if dataset.fingerprint() != self.search.fingerprint:
            raise InputError(
                f"{self.search.voice}: has changed since the search, so its reference clip may differ; restore the "
                "dataset, or export another layout"
            )
        reference = dataset.speakers[0].reference
        return ReferenceClip(reference.audio, reference.text)

    def _sample_text(self) -> str:
        for probed in (self.outcome, self.history.base):
            if probed is not None and probed.verdict is not None:
                return probed.verdict.lines[0].text
        return DEFAULT_SAMPLE_TEXT

    def _progress(self, what: str, done: int) -> None:
        self.on_progress(what, done, 3)
