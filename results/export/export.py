"""Takes a trial out of a run: rebuilt, written in the layout asked for, proved in a fresh process, and described."""

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
from results.export.samples import export_samples, probe_samples
from results.run.ledger import History, SearchStarted, read_ledger
from results.run.run_folder import RunFolder, require_known_family
from spaces.cli import OnProgress, no_progress
from spaces.errors import InputError
from spaces.probe_settings import ProbeSettings
from spaces.records.trial import Outcome
from trainable.family.export_request import ExportLayout, ExportRequest, ReferenceClip, speaker_name
from trainable.files.atomic import write_text

if TYPE_CHECKING:
    from results.export.verify import ExportCheck
    from trainable.probe.criteria.calibration import Calibration

DEFAULT_SAMPLE_TEXT = "One two three."
"""Spoken when neither the trial nor the base model was probed."""
UNKNOWN_LICENCE = "unknown"
_LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]*")


@dataclass(frozen=True)
class ExportOptions:
    """How an export is to be."""

    layout: ExportLayout = ExportLayout.PEFT
    base: str | None = None
    """What files and card call the base model, where the run knows it as a folder of its machine."""
    licence: str = UNKNOWN_LICENCE
    """Identifier of the licence under which the voice may be used, such as cc-by-4.0."""

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
    wish: ExportOptions = ExportOptions(),
    on_progress: OnProgress = no_progress,
    family: str | None = None,
) -> Path:
    """Exports that trial's kept checkpoint into `folder`, whatever its verdict; an earlier export there is replaced.

    `family` is the module of the model family, where the caller knows it; without it the run's own, which has to be
    one that is known here. Raises InputError for another one, an unknown trial, one that kept no checkpoint, a layout
    that cannot hold it, or a folder that holds anything else, and UnfaithfulExport when what was written does not speak
    like what was trained. Then `folder` is as it was.
    """
    history = read_ledger(run.ledger)
    outcome = _outcome(history, trial)
    if history.search is None:
        raise InputError(f"{run.ledger}: does not say how the search was started; {'; '.join(history.problems)}")
    family = family or require_known_family(history.search.family, f"{run.ledger}")
    folder = folder.resolve()
    with export_folder(folder) as beside:
        _Export(run, history, history.search, family, outcome, wish, on_progress).write(beside)
    return folder


def _outcome(history: History, trial: str) -> Outcome:
    outcome = history.outcomes.get(trial)
    if outcome is None:
        state = "has not ended" if trial in history.drawn else "is unknown"
        known = ", ".join(name for name, each in history.outcomes.items() if each.checkpoint) or "none yet"
        raise InputError(f"trial {trial} {state}; trials that can be exported: {known}")
    if outcome.checkpoint is None or outcome.draw is None:
        raise InputError(f"trial {trial} kept no checkpoint ({outcome.ending}: {outcome.reason}); give another --trial")
    return outcome


@dataclass(frozen=True)
class _Export:
    run: RunFolder
    history: History
    search: SearchStarted
    family: str
    outcome: Outcome
    wish: ExportOptions
    on_progress: OnProgress

    def write(self, beside: Path) -> None:
        """Fills an empty folder, the record last."""
        from results.export.verify import WrittenExport, verify_export
        from trainable.family.protocol import load_family
        from trainable.stages.confirm import scale_lora
        from trainable.training.checkpoint import load_weights

        search, outcome = self.search, self.outcome
        checkpoint = self._checkpoint()
        reference = self._reference() if self.wish.layout is ExportLayout.ALEXANDRIA else None
        self._tell("loading the base model", 0)
        family = load_family(self.family)
        calibration = self._calibration()
        heard = last_verdict(outcome, self.history)
        strength = heard.strength if heard else 1.0
        learner = family.build(search.model, self.run.prepared, search.space["language"], outcome.draw, search.seed)
        learner.load_tensors(scale_lora(load_weights(checkpoint), strength))
        learner.eval()

        self._tell(f"writing {outcome.trial} as {self.wish.layout}", 1)
        request = ExportRequest(
            layout=self.wish.layout,
            model=search.model,
            base_name=self.wish.base or search.model,
            speaker=speaker_name(search.voice),
            outcome=outcome,
            reference=reference,
        )
        family.export(learner, request, beside)

        self._tell("loading it in a process of its own, and letting it speak", 2)
        text = self._sample_text()
        exported = AdapterManifest(
            trial=outcome.trial,
            draw=outcome.draw,
            outcome=outcome,
            final=self.history.confirmations.get(outcome.trial),
            accepted=is_accepted(outcome, self.history),
            strength=strength,
            layout=self.wish.layout,
            family=self.family,
            base_model=request.base_name,
            language=search.space["language"],
            seed=search.seed,
            sampling=ProbeSettings.model_validate(search.space["probe"]).sampling,
            tempo=calibration.tempo,
            fingerprint=search.fingerprint,
            licence=self.wish.licence,
            sample_text=text,
        )
        written = WrittenExport(beside, exported, search.model, ProbeSettings.model_validate(search.space["probe"]))
        self._describe(beside, exported, verify_export(written, learner, calibration))

    def _describe(self, beside: Path, exported: AdapterManifest, proof: ExportCheck) -> None:
        """Adds recordings, recipe, card and record to a folder of weights."""
        from results.export.verify import sample_name
        from trainable.speech.audio import write_audio

        write_audio(beside / "sample.wav", proof.sample.wave)
        for place, (_, said) in enumerate(proof.lines):
            write_audio(beside / sample_name(place), said.wave)
        if proof.lines:
            samples = export_samples(self.run, self.history, tuple(line for line, _ in proof.lines), beside)
        else:
            samples = probe_samples(self.run, self.history, self.outcome, beside)
        exported = exported.model_copy(update={"merged": proof.merged})
        name = base_name(exported.base_model)
        band = self.history.band_of(exported.trial)
        write_recipe(beside / RECIPE, self.search, exported.trial, exported.draw, band, name)
        replay = command(self.search, name if name == exported.base_model else f"path/to/{name}")
        versus = compare_with_base(self.outcome, self.history)
        write_card(beside, exported, self.search.voice, versus, samples, replay)
        exported = exported.model_copy(update={"files": file_hashes(beside)})
        write_text(beside / MANIFEST, exported.model_dump_json(indent=1) + "\n")

    def _calibration(self) -> Calibration:
        from trainable.probe.criteria.calibration import Calibration

        try:
            return Calibration.read(self.run.calibration)
        except ValidationError:
            raise InputError(
                f"{self.run.calibration}: not readable by this Sweetspot; export with the version that searched"
            ) from None

    def _checkpoint(self) -> Path:
        folder = self.run.trial(self.outcome.trial)
        checkpoint = folder / self.outcome.checkpoint
        if not checkpoint.resolve().is_relative_to(self.run.path.resolve()):
            raise InputError(f"{self.run.ledger}: names a checkpoint outside the run, {self.outcome.checkpoint}")
        for needed in (self.run.prepared, self.run.calibration, checkpoint):
            if not needed.exists():
                raise InputError(
                    f"{needed}: missing, so trial {self.outcome.trial} cannot be rebuilt; it is part of the run"
                )
        return checkpoint

    def _reference(self) -> ReferenceClip:
        """The first speaker's, from the dataset itself: a run keeps no recording of it."""
        from trainable.dataset.loading.load import load_dataset
        from trainable.dataset.source import Source
        from trainable.files.cache import cache_folder

        self._tell("opening the voice for its reference", 0)
        sources = tuple(Source.parse(source) for source in self.search.data)
        dataset = load_dataset(sources, self.search.auto_reference, cache_folder())
        if dataset.fingerprint() != self.search.fingerprint:
            raise InputError(
                f"{self.search.voice}: has changed since the search, so its reference may be another one; put "
                "the voice back, or export another layout"
            )
        reference = dataset.speakers[0].reference
        return ReferenceClip(reference.audio, reference.text)

    def _sample_text(self) -> str:
        for probed in (self.outcome, self.history.base):
            if probed is not None and probed.verdict is not None:
                return probed.verdict.lines[0].text
        return DEFAULT_SAMPLE_TEXT

    def _tell(self, what: str, done: int) -> None:
        self.on_progress(what, done, 3)
