"""What Ray Tune carries of a trial: its spec as the config of its function, and its events as results."""

from collections.abc import Mapping
from typing import Any

from spaces.records.trial_spec import TrialSpec
from trainable.training.events import Event, Finished, Progress, StorageFailed

TRIAL, SPEC, EVENT = "trial", "spec", "event"
CONFIG = "config"
"""Under which Tune adds a trial's config to each of its results."""
REPORT_SECONDS = 0.5
"""At least this long between two points of a trial in training: each passes several processes and waits for its
reader."""


def tune_config(spec: TrialSpec) -> dict[str, Any]:
    """The config that Tune passes to a trial's function."""
    return {TRIAL: spec.trial, SPEC: spec.model_dump_json()}


def spec_of(config: Mapping[str, Any]) -> TrialSpec:
    """The inverse of `tune_config`."""
    return TrialSpec.model_validate_json(config[SPEC])


def as_result(event: Progress | StorageFailed | Finished) -> dict[str, Any]:
    """The event as a result of Tune. The last result of a trial is `Finished`, unless its process has died."""
    # `done` spares Tune another call.
    return {EVENT: event, "done": isinstance(event, Finished)}


def event_of(result: Mapping[str, Any]) -> Event | None:
    """The inverse of `as_result`; None for a result that carries no event."""
    return result.get(EVENT)
