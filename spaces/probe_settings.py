"""How a space wants its trials to be spoken and judged."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Sampling(BaseModel):
    """How speech is sampled, said explicitly: the same for the base model and every trial."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(default=0.9, gt=0, le=2)
    top_k: int = Field(default=50, ge=1)
    subtalker_temperature: float = Field(default=0.9, gt=0, le=2)
    subtalker_top_k: int = Field(default=50, ge=1)
    repetition_penalty: float = Field(default=1.05, ge=1, le=2)


class ProbeSettings(BaseModel):
    """The lines, the listener and the sampling of a probe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lines: str = Field(
        description="name of a file of lines shipped with the probe, held-out for transcripts that nobody trains on, "
        "or a path to a file, a line each"
    )
    recogniser: str = Field(
        default="none",
        description="a Whisper or CTC checkpoint by hub id (NAME/MODEL) or folder, pocketsphinx (offline English of a "
        "few words, such as digits), or none: then `garbled` is unknown",
    )
    language: str = Field(
        default="auto",
        description="of the lines, as the recogniser codes it: no for a Whisper, nob for an MMS; auto lets a Whisper "
        "find out, and is English to pocketsphinx",
    )
    sampling: Sampling = Sampling()
