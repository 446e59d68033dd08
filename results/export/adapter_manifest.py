"""What an exported adapter says about itself: `sweetspot.json`, written last; where it stands the export is whole."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from spaces.draw import Draw
from spaces.errors import InputError
from spaces.probe_settings import Sampling
from spaces.records.confirmation import Confirmation
from spaces.records.trial import Outcome
from spaces.records.verdict import Verdict
from trainable.family.export_request import ExportLayout
from trainable.speech.tempo import SpeakingRate

MANIFEST = "sweetspot.json"
FORMAT = 2


class UnfaithfulExport(RuntimeError):
    """What was written does not speak like what was trained."""


class MergedWeights(BaseModel):
    """How a merged checkpoint compares with the adapter that it is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    difference: float
    """Of the logits: root mean square of the difference over that of the adapter's own, each row about its mean."""
    tolerance: float
    """More is not exported."""
    verdict: Verdict
    """On what the merged checkpoint said, judged as every trial of the search was."""


class AdapterManifest(BaseModel):
    """Where an adapter comes from and how it speaks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    trial: str
    draw: Draw
    outcome: Outcome
    final: Confirmation | None = None
    """What was heard of it as a finalist; None where it was none."""
    accepted: bool
    """By the last that was heard of it."""
    strength: float = 1.0
    """What the LoRA was multiplied with before it was written: the file holds it at that strength."""
    layout: ExportLayout
    merged: MergedWeights | None = None
    """None for an adapter, which was found to say exactly what was trained."""
    family: str
    """Module of the model family."""
    base_model: str
    """Hub id or folder."""
    language: str
    seed: int
    sampling: Sampling
    tempo: SpeakingRate
    """Of the dataset's voice; it says after how many frames a line that does not end is cut off."""
    fingerprint: str
    """The dataset's."""
    licence: str
    """Identifier of the voice's licence; `unknown` where nobody has said."""
    sample_text: str
    """What `sample.wav` says, with `seed`."""
    files: dict[str, str] = {}
    """Every other file of the export, relative to its folder, and its SHA-256."""


def read_manifest(folder: Path) -> AdapterManifest:
    """Raises InputError when the folder is missing, is no export, or was written by a newer Sweetspot."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected an adapter that `python -m results.export RUN DIR` wrote")
    record = folder / MANIFEST
    if not record.is_file():
        raise InputError(
            f"{folder}: not an exported adapter ({MANIFEST} is missing); write one with "
            "`python -m results.export RUN DIR`"
        )
    try:
        written = json.loads(record.read_bytes())
        format = written.get("format") if isinstance(written, dict) else None
        if isinstance(format, int) and format > FORMAT:
            raise InputError(f"{record}: format {format}, but this Sweetspot reads {FORMAT}; update Sweetspot")
        if isinstance(format, int) and format < FORMAT:
            raise InputError(f"{record}: format {format}, of an earlier Sweetspot; export the trial again")
        return AdapterManifest.model_validate(written)
    except ValidationError as error:
        raise InputError(
            f"{record}: not readable as format {FORMAT} ({error.errors()[0]['msg']}); export the trial again"
        ) from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{record}: not readable as JSON; export the trial again") from None
