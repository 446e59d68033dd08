"""The `[probe]` section of a space: the lines, their sampling, and the recogniser."""

from __future__ import annotations

from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from spaces.frozen_model import FrozenModel

AUTO = "auto"
"""Lines, recogniser or language that is chosen when a search starts; its ledger records what was chosen."""
_IGNORED_BY_GREEDY = {"temperature", "top_k", "subtalker_temperature", "subtalker_top_k"}


class Sampling(FrozenModel):
    """Sampling parameters of speech, the same for the base model and every trial."""

    temperature: float = Field(default=0.9, gt=0, le=2)
    top_k: int = Field(default=50, ge=1)
    subtalker_temperature: float = Field(default=0.9, gt=0, le=2)
    subtalker_top_k: int = Field(default=50, ge=1)
    repetition_penalty: float = Field(default=1.05, ge=1, le=2)
    greedy: bool = Field(
        default=False,
        description="always take the most probable code, after the repetition penalty; temperatures and top_k must "
        "then not be set",
    )

    @model_validator(mode="after")
    def _nothing_that_greedy_ignores(self) -> Sampling:
        ignored = [name for name in type(self).model_fields if name in self.model_fields_set & _IGNORED_BY_GREEDY]
        if self.greedy and ignored:
            raise ValueError(f"greedy ignores {', '.join(ignored)}: remove {'it' if len(ignored) == 1 else 'them'}")
        return self

    @model_serializer(mode="wrap")
    def _without_what_greedy_ignores(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves out the fields that `greedy` ignores, so that what is written can be read back."""
        fields = serialise(self)
        return {name: value for name, value in fields.items() if not (self.greedy and name in _IGNORED_BY_GREEDY)}


class ProbeSettings(FrozenModel):
    """Lines, recogniser and sampling of a probe."""

    lines: str = Field(
        description="name of a file of lines shipped with the probe, held-out for transcripts that no trial trains on, "
        "the path of a text file with one line each, or auto: the shipped lines of the language, else held-out"
    )
    recogniser: str = Field(
        default=AUTO,
        description="a Whisper (of transformers, or converted for faster-whisper) or CTC checkpoint by hub id "
        "(NAME/MODEL) or folder, pocketsphinx (offline English), auto for one that hears the language, or none: then "
        "`garbled` is unknown",
    )
    language: str = Field(
        default=AUTO,
        description="language code of the lines, as the recogniser spells it: no for a Whisper, nob for an MMS; "
        "with auto it is chosen with the lines or the recogniser, where one of them is auto; otherwise a Whisper "
        "detects it, and pocketsphinx assumes English",
    )
    finalists: int = Field(
        default=3,
        ge=0,
        description="trials that are confirmed at the end: at lower LoRA strengths, and on sixty other lines",
    )
    sampling: Sampling = Sampling()
