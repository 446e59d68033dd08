"""Everything that can be refused before Ray starts: seconds, and nothing is written for a plan that is."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from types import ModuleType

from results.run.ledger import read_ledger
from results.run.run_folder import RunFolder
from search.checking.suitability import check_suitability
from search.planning.disk import check_disk
from search.planning.execution_mode import ExecutionMode
from search.planning.forecast import DiskForecast, forecast_disk, search_work
from search.planning.plan import CheckedData, Plan
from search.run_state.lock import LOCK_FILE, WRITER_FILE, refuse_if_locked
from search.run_state.restore import check_storage
from spaces.cli import OnProgress
from spaces.errors import InputError
from spaces.families import family_entry
from spaces.records.pack_shape import PackShape
from spaces.space import Space
from trainable.dataset.checks.all import check_dataset
from trainable.dataset.clip import VoiceDataset
from trainable.dataset.encoding_plan import plan_encoding
from trainable.dataset.finding import raise_errors
from trainable.dataset.loading.load import open_dataset
from trainable.dataset.split import DatasetSplit
from trainable.family.model_size import ModelSize
from trainable.probe.texts.lines import HELD_OUT, check_unseen, confirmation_lines, lines_for, load_lines
from trainable.speech.asr.recogniser import check_recogniser


def check_plan(plan: Plan, on_progress: OnProgress = lambda what, done, of: None) -> CheckedData:
    """Finds out whether a plan can be carried out, and makes its folder. Raises InputError, with the remedy."""
    checked = check_inputs(plan, on_progress)
    check_recogniser(plan.space.probe.recogniser, plan.space.probe.language)
    # Last, because it may be a download of gigabytes.
    check_model(plan.family, plan.model)
    warnings = check_disk(plan.run.path, disk_needed(plan, checked), plan.resume)
    return dataclasses.replace(checked, findings=(*warnings, *check_storage(plan), *checked.findings))


def disk_needed(plan: Plan, checked: CheckedData) -> DiskForecast | None:
    """What the run's folder grows to; None where the model's size is not known."""
    size = model_size(plan.family, plan.model, plan.space)
    return size and forecast_disk(search_work(plan.space, checked.split, plan.mode, plan.budget.trials), size)


def check_inputs(plan: Plan, on_progress: OnProgress = lambda what, done, of: None) -> CheckedData:
    """The same without what would be written or downloaded: the data, the lines and the folder. Data of the hub has to
    be fetched to be looked at. Raises InputError, with the remedy."""
    if plan.resume:
        refuse_if_locked(plan.run)
    else:
        _check_new(plan)
    if plan.space.probe.lines != HELD_OUT:
        load_lines(plan.space.probe.lines)
    checked = _check_data(plan, on_progress)
    _check_lines(plan.space.probe.lines, checked.split)
    if plan.resume:
        _check_unchanged(plan, checked.dataset)
    if Path(plan.model).is_dir():
        check_model(plan.family, plan.model)
    return checked


def model_size(family: str, model: str, space: Space) -> ModelSize | None:
    """How large the model is, as its family says; None where nothing is known."""
    name = family_entry(family).size
    return importlib.import_module(name).size_of(model, PackShape.from_space(space)) if name else None


def existing_parent(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def check_model(family: str, model: str) -> None:
    """Asks the family whether it can train this model. Raises InputError when it cannot."""
    check = _check_of(family)
    if check is not None:
        check.check_model(model)


def choose_mode(plan: Plan) -> tuple[Plan, str | None]:
    """The plan, and why its trials run each by itself although that was not asked for; None when they do not."""
    check = None if plan.mode.isolate else _check_of(plan.family)
    objection = check and check.why_not_packed(plan.model, PackShape.from_space(plan.space))
    if not objection:
        return plan, None
    return dataclasses.replace(plan, mode=ExecutionMode(isolate=True, wait_minutes=plan.mode.wait_minutes)), objection


def _check_of(family: str) -> ModuleType | None:
    """The module that knows without torch what can be trained; None where the family has none."""
    name = family_entry(family).check
    return importlib.import_module(name) if name else None


def refuse_another_search(run: RunFolder) -> None:
    """Raises InputError where a search has begun already."""
    if run.ledger.exists():
        raise InputError(f"{run.path}: holds another search; add --resume to go on with it, or give another --out")


def _check_new(plan: Plan) -> None:
    refuse_another_search(plan.run)
    refuse_if_locked(plan.run)
    out = plan.run.path
    # These may be left of a search that was refused once the machine was known.
    left = (plan.run.ray.name, LOCK_FILE, WRITER_FILE)
    if out.exists() and (not out.is_dir() or any(path.name not in left for path in out.iterdir())):
        raise InputError(f"{out}: expected a new or empty folder for --out, and this is not; give another")


def _check_data(plan: Plan, on_progress: OnProgress) -> CheckedData:
    """The same checks as `python -m trainable.dataset check`, and those of the space against the data."""
    dataset, found = open_dataset(plan.sources, plan.auto_reference, plan.cache, on_progress)
    found = [*found, *(check_dataset(dataset) if dataset else ())]
    raise_errors(found)
    assert dataset is not None
    split = plan_encoding(dataset, plan.space.data, plan.seed).split
    return CheckedData(dataset, split, (*found, *check_suitability(plan.space, dataset, split)))


def _check_lines(name_or_path: str, split: DatasetSplit) -> None:
    spoken = (*lines_for(name_or_path, split), *confirmation_lines(name_or_path, split))
    check_unseen(spoken, (split.entries[place].text for place in split.training))


def _check_unchanged(plan: Plan, dataset: VoiceDataset) -> None:
    begun = read_ledger(plan.run.ledger).search
    if begun is not None and begun.fingerprint != dataset.fingerprint():
        raise InputError(
            f"{plan.sources[0]}: its clips or transcripts have changed since this search began; "
            "put them back, or start anew with another --out"
        )
