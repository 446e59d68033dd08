"""The options of a search's command line."""

from dataclasses import dataclass
from pathlib import Path

from search.planning.execution_mode import ExecutionMode


@dataclass(frozen=True)
class Arguments:
    """The options of the command line; None for an option that was not given."""

    data: tuple[str, ...] = ()
    max_audio_hours: float | None = None
    model: str | None = None
    space: str | None = None
    out: Path | None = None
    resume: bool = False
    seed: int | None = None
    trials: int | None = None
    accept: int | None = None
    hours: float | None = None
    gpu_hours: float | None = None
    auto_ref: bool = False
    mode: ExecutionMode = ExecutionMode()
    address: str | None = None
    storage: str | None = None
    like: tuple[Path, ...] = ()
    """Folders of finished runs of similar voices."""
    language: str | None = None
    """Code or English name."""
    recogniser: str | None = None
