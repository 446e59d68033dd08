"""Everything that can be refused before Ray starts: seconds, and nothing is written for a plan that is."""

from __future__ import annotations

import dataclasses
import importlib.util
import shutil
from types import ModuleType

from results.ledger import read_ledger
from search.mode import Mode
from search.plan import Plan
from spaces.errors import InputError
from spaces.pack_shape import PackShape
from trainable.dataset import VoiceDataset, load_dataset
from trainable.probe.lines import load_lines

LEAST_FREE_BYTES = 512 * 2**20
"""Recordings, curves and two checkpoints per running trial; far below any real need, well above a full disk."""


def check_plan(plan: Plan) -> VoiceDataset:
    """The dataset of a plan that can be carried out; makes its folder. Raises InputError, with the remedy."""
    if not plan.resume:
        _check_new(plan)
    load_lines(plan.space.probe.lines)
    dataset = load_dataset(plan.data, plan.auto_reference)
    if plan.resume:
        _check_unchanged(plan, dataset)
    # Last, because it may be a download of gigabytes.
    check_model(plan.family, plan.model)
    _check_room(plan)
    return dataset


def check_model(family: str, model: str) -> None:
    """Asks the family whether it can train this model. Raises InputError when it cannot."""
    check = _check_of(family)
    if check is not None:
        check.check_model(model)


def with_a_mode_that_fits(plan: Plan) -> tuple[Plan, str | None]:
    """The plan, and why its trials run each by itself although that was not asked for; None when they do not."""
    check = None if plan.mode.isolate else _check_of(plan.family)
    objection = check and check.why_not_packed(plan.model, PackShape.of_space(plan.space))
    if not objection:
        return plan, None
    return dataclasses.replace(plan, mode=Mode(isolate=True)), objection


def _check_of(family: str) -> ModuleType | None:
    """The `check` module beside a family's own, which knows without torch what can be trained.

    A family without one has nothing to say before its workers do.
    """
    package = family.rpartition(".")[0]
    if not package or importlib.util.find_spec(f"{package}.check") is None:
        return None
    return importlib.import_module(f"{package}.check")


def _check_new(plan: Plan) -> None:
    out = plan.run.path
    if plan.run.ledger.exists():
        raise InputError(f"{out}: holds another search; add --resume to go on with it, or give another --out")
    # Ray's own folder may be left of a search that was refused once the machine was known.
    if out.exists() and (not out.is_dir() or any(path != plan.run.ray for path in out.iterdir())):
        raise InputError(f"{out}: expected a new or empty folder for --out, and this is not; give another")


def _check_unchanged(plan: Plan, dataset: VoiceDataset) -> None:
    begun = read_ledger(plan.run.ledger).search
    if begun is not None and begun.fingerprint != dataset.fingerprint():
        raise InputError(
            f"{plan.data}: its clips or transcripts have changed since this search began; "
            "put them back, or start anew with another --out"
        )


def _check_room(plan: Plan) -> None:
    out = plan.run.path
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = out / ".writable"
        written.touch()
        written.unlink()
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); give another --out") from None
    free = shutil.disk_usage(out).free
    if free < LEAST_FREE_BYTES:
        raise InputError(f"{out}: only {free / 2**20:.0f} MiB free, expected 512; make room or give another --out")
