"""The manifest of an export, `sweetspot.json`. It is content last: where it exists, the export is complete."""

import json
from pathlib import Path

from pydantic import ValidationError

from results.run.run_folder import require_known_family
from spaces.errors import InputError
from spaces.export_layout import ExportLayout
from spaces.families import AnyDraw, layout_named
from spaces.frozen_model import FrozenModel
from spaces.probe_settings import Sampling
from spaces.records.confirmation import Confirmation
from spaces.records.trial import Outcome
from spaces.records.verdict import Verdict
from trainable.speech.tempo import SpeakingRate

MANIFEST = "sweetspot.json"
FORMAT = 2


class UnfaithfulExport(RuntimeError):
    """The export does not speak like the trained model."""


class MergedWeights(FrozenModel):
    """A merged checkpoint compared with the adapter that was merged."""

    difference: float
    """Of the logits, or of the waves of a family without codes: root mean square of the difference over that of the
    adapter's own, centred."""
    tolerance: float
    """A larger difference is not exported."""
    verdict: Verdict
    """The verdict on the merged checkpoint, by the criteria of the search."""


class AdapterManifest(FrozenModel):
    """Origin of an exported adapter, and how it speaks."""

    format: int = FORMAT
    trial: str
    draw: AnyDraw
    outcome: Outcome
    final: Confirmation | None = None
    """The confirmation; None for a trial that was no finalist."""
    accepted: bool
    """Whether the last verdict accepted it."""
    strength: float = 1.0
    """Factor on the LoRA; the weights in the file include it."""
    layout: str
    """One of the family's layouts."""
    merged: MergedWeights | None = None
    """None for an adapter, which was verified to speak exactly as trained."""
    family: str
    """Module of the model family."""
    base_model: str
    """Hub id or folder."""
    language: str
    seed: int
    sampling: Sampling
    tempo: SpeakingRate
    """Speaking rate of the dataset's voice; it sets the cap of frames of a line."""
    fingerprint: str
    """Fingerprint of the dataset."""
    licence: str
    """Identifier of the voice's licence; `unknown` where it was not given."""
    sample_text: str
    """Text of `sample.wav`, spoken with `seed`."""
    files: dict[str, str] = {}
    """SHA-256 of every other file of the export, by its path relative to the folder."""

    @property
    def export_layout(self) -> ExportLayout:
        return layout_named(self.family, self.layout)


def read_manifest(folder: Path) -> AdapterManifest:
    """Raises InputError for a folder that is missing, is no export, or is of another format or an unknown family."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected an adapter that `python -m results.export RUN DIR` wrote")
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(
            f"{folder}: not an exported adapter ({MANIFEST} is missing); write one with "
            "`python -m results.export RUN DIR`"
        )
    try:
        content = json.loads(path.read_bytes())
        version = content.get("format") if isinstance(content, dict) else None
    except (ValueError, RecursionError):
        raise InputError(f"{path}: not readable as JSON; export the trial again") from None
    if isinstance(version, int) and version > FORMAT:
        raise InputError(f"{path}: format {version}, but this Sweetspot reads {FORMAT}; update Sweetspot")
    if isinstance(version, int) and version < FORMAT:
        raise InputError(f"{path}: format {version} is from an earlier Sweetspot; export the trial again")
    if isinstance(content, dict) and isinstance(content.get("family"), str):
        require_known_family(content["family"], f"{path}")
    try:
        manifest = AdapterManifest.model_validate(content)
        layout_named(manifest.family, manifest.layout)
        return manifest
    except ValueError as error:
        problem = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise InputError(f"{path}: not readable as format {FORMAT} ({problem}); export the trial again") from None
