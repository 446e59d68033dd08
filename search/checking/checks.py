"""The checks of a plan before Ray starts.

In: a `Plan`. Out: its `CheckedData`, or an InputError that says what is wrong and what to do.
"""

import dataclasses
import importlib
from pathlib import Path
from types import ModuleType

from results.run.ledger import read_ledger
from results.run.run_folder import RunFolder
from search.checking.probe_choice import Confirm, choose_probe
from search.checking.suitability import check_suitability
from search.planning.disk import check_disk
from search.planning.execution_mode import ExecutionMode
from search.planning.forecast import DiskForecast, forecast_disk, search_work
from search.planning.plan import CheckedData, Plan
from search.run_state.lock import LOCK_FILE, WRITER_FILE, refuse_if_locked
from search.run_state.restore import check_storage
from spaces.cli import OnProgress, progress_bars
from spaces.errors import InputError
from spaces.families import family_entry
from spaces.pack_shape import PackShape
from spaces.probe_settings import AUTO
from spaces.space import Space
from trainable.dataset.checks.all import check_dataset
from trainable.dataset.clip import VoiceDataset
from trainable.dataset.encoding_plan import plan_encoding
from trainable.dataset.finding import raise_errors
from trainable.dataset.loading.load import open_dataset
from trainable.dataset.split import DatasetSplit
from trainable.family.model_size import ModelSize
from trainable.probe.texts.lines import HELD_OUT, check_unseen, confirmation_lines, lines_for, load_lines
from trainable.speech.asr.installed import checkpoint_here
from trainable.speech.asr.recogniser import NONE, POCKETSPHINX, check_name, check_recogniser


def confirm_all(statement: str) -> bool:
    """A `Confirm` for callers without a terminal: every guess is right."""
    return True


def check_plan(plan: Plan, confirm: Confirm = confirm_all) -> tuple[Plan, CheckedData]:
    """Runs all checks, which may download the model, and makes the run folder.

    Returns the plan with what is chosen for the `auto` of its probe. Raises InputError.
    """
    plan, checked = check_inputs(plan, confirm, may_download=True)
    check_recogniser(plan.space.probe.recogniser, plan.space.probe.language)
    # Late, because it may download gigabytes.
    check_model(plan.family, plan.model)
    warnings = check_disk(plan.run.path, disk_needed(plan, checked), plan.resume)
    return plan, dataclasses.replace(checked, findings=(*warnings, *check_storage(plan), *checked.findings))


def disk_needed(plan: Plan, checked: CheckedData) -> DiskForecast | None:
    """What the run folder grows to; None if the model's size is unknown."""
    size = model_size(plan.family, plan.model, plan.space)
    if size is None:
        return None
    return forecast_disk(search_work(plan.space, checked.split, plan.mode, plan.budget.trials), size)


def check_inputs(plan: Plan, confirm: Confirm = confirm_all, may_download: bool = False) -> tuple[Plan, CheckedData]:
    """Checks the data, the probe and the folder, without writing to the folder or downloading the model.

    Returns the plan with what is chosen for the `auto` of its probe, see `choose_probe`. A dataset of the Hub is
    downloaded to be checked. Raises InputError.
    """
    checked = check_data(plan)
    chosen = choose_probe(plan, checked.dataset, confirm, may_download)
    probe = chosen.space.probe
    if probe.recogniser in (NONE, POCKETSPHINX) or checkpoint_here(probe.recogniser):
        check_recogniser(probe.recogniser, probe.language)
    if plan.space.probe.lines == AUTO:
        _check_lines(probe.lines, checked.split)
    return chosen, checked


def check_data(plan: Plan) -> CheckedData:
    """The part of `check_inputs` that is the same on every machine: all but what is chosen for `auto`."""
    if plan.resume:
        refuse_if_locked(plan.run)
    else:
        _check_new(plan)
    probe = plan.space.probe
    if probe.lines not in (AUTO, HELD_OUT):
        load_lines(probe.lines)
    if probe.recogniser != AUTO:
        check_name(probe.recogniser)
    with progress_bars() as on_progress:
        checked = _check_data(plan, on_progress)
    if probe.lines != AUTO:
        _check_lines(probe.lines, checked.split)
    if plan.resume:
        _check_unchanged(plan, checked.dataset)
    if Path(plan.model).is_dir():
        check_model(plan.family, plan.model)
    return checked


def model_size(family: str, model: str, space: Space) -> ModelSize | None:
    """The size that the family reports for the model; None if it is unknown."""
    entry = family_entry(family)
    shape = (entry.pack_shape or PackShape).from_space(space)
    return importlib.import_module(entry.size).size_of(model, shape) if entry.size else None


def check_model(family: str, model: str) -> None:
    """Raises InputError if the family cannot train this model."""
    module = _check_module(family)
    if module is not None:
        module.check_model(model)


def choose_mode(plan: Plan) -> tuple[Plan, str | None]:
    """Switches to isolated trials if the family cannot train the space's draws in one pack.

    Returns the plan, and why it was switched; None if it was not.
    """
    entry = family_entry(plan.family)
    if plan.mode.isolate:
        return plan, None
    if entry.pack_shape is None:
        why_isolated = "the family trains one model per trial"
    else:
        module = _check_module(plan.family)
        why_isolated = module and module.why_not_packed(plan.model, entry.pack_shape.from_space(plan.space))
    if not why_isolated:
        return plan, None
    mode = ExecutionMode(isolate=True, wait_minutes=plan.mode.wait_minutes)
    return dataclasses.replace(plan, mode=mode), why_isolated


def _check_module(family: str) -> ModuleType | None:
    """The family's module of checks that need no torch; None if it has none."""
    name = family_entry(family).check
    return importlib.import_module(name) if name else None


def refuse_another_search(run: RunFolder) -> None:
    """Raises InputError if the folder holds the ledger of a search."""
    if run.ledger.exists():
        raise InputError(f"{run.path}: holds another search; add --resume to continue it, or give another --out")


def _check_new(plan: Plan) -> None:
    refuse_another_search(plan.run)
    refuse_if_locked(plan.run)
    out = plan.run.path
    # A search that was refused after Ray had started leaves these.
    ignored = (plan.run.ray.name, LOCK_FILE, WRITER_FILE)
    if out.exists() and (not out.is_dir() or any(path.name not in ignored for path in out.iterdir())):
        raise InputError(
            f"{out}: expected a new or empty folder for --out, but it "
            f"{'holds files' if out.is_dir() else 'is a file'}; give another"
        )


def _check_data(plan: Plan, on_progress: OnProgress) -> CheckedData:
    """The checks of `python -m trainable.dataset check`, and whether the space suits the data."""
    dataset, findings = open_dataset(plan.sources, plan.auto_reference, plan.cache, on_progress)
    findings = [*findings, *(check_dataset(dataset) if dataset else ())]
    raise_errors(findings)
    assert dataset is not None
    split = plan_encoding(dataset, plan.space.data, plan.seed).split
    suitability = check_suitability(plan.space, dataset, split)
    raise_errors(suitability)
    return CheckedData(dataset, split, (*findings, *suitability))


def _check_lines(name_or_path: str, split: DatasetSplit) -> None:
    """Raises InputError if a line of the probe is also a transcript to train on."""
    lines = (*lines_for(name_or_path, split), *confirmation_lines(name_or_path, split))
    check_unseen(lines, (split.entries[index].text for index in split.training))


def _check_unchanged(plan: Plan, dataset: VoiceDataset) -> None:
    started = read_ledger(plan.run.ledger).search
    if started is not None and started.fingerprint != dataset.fingerprint():
        raise InputError(
            f"{plan.sources[0]}: its clips or transcripts have changed since this search started; restore them, or "
            "start a new search with another --out"
        )
