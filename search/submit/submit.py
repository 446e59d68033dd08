"""A search that is typed on one machine and done on a cluster: sent there, followed from here, its results fetched."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console

from results.run.run_folder import RunFolder
from search.checking.checks import check_inputs
from search.console.after import DONE, EXPORT_FAILED, INTERRUPTED, NOTHING_ACCEPTED
from search.console.view import display_path
from search.planning.plan import DEMO_SPACE, Arguments, Plan, make_plan
from search.run_state.lock import writer_lock
from search.submit.fetch import fetch, has_begun
from search.submit.head import Head
from search.submit.inputs import Inputs, Option, command_line, inputs_of, project_bundle
from search.submit.ray_job import LOST_MINUTES, Follower, JobEnd, LostContactError, request_stop, submit_job
from search.submit.submitted_run import SubmittedRun, delete_record, has_record, read_record, write_record
from search.submit.upload import UploadBundle, safe_name
from spaces.cli import WRONG_INPUT, progress_bars
from spaces.errors import InputError
from trainable.dataset.clip import VoiceDataset

KNOWN = DONE, EXPORT_FAILED, WRONG_INPUT, NOTHING_ACCEPTED, INTERRUPTED
KILLED = 1
"""Exit code where the search on the head ended without one."""
STAGED = ".sent"
"""In the run's folder here: what is on its way there."""
SHARED = "SWEETSPOT_SHARED"
"""Variable on the head: a folder on storage that all nodes reach at one path."""
PROJECTS, INPUTS, RUNS = "projects", "inputs", "runs"
"""What lies in it."""
SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-")
ROOT = Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True)
class SubmitRequest:
    """A search that somebody typed here."""

    typed: Arguments
    options: Sequence[Option]
    now: datetime
    project: Path = ROOT
    """The checkout that is sent."""
    minutes: float = LOST_MINUTES
    """For which a lost connection is tried again."""


def submit_search(head: Head, wish: SubmitRequest, console: Console) -> int:
    """Starts a search, or comes back to it on `--resume`, and follows it to its end. Returns its exit code.

    Raises InputError for what cannot be used, here or there.
    """
    seen = None
    if wish.typed.data or wish.typed.space == DEMO_SPACE or not wish.typed.resume:
        seen = _look_over(head, wish.typed, wish.now)
    if wish.typed.resume:
        if wish.typed.out is None:
            raise InputError("--resume needs --out RUN, the folder of the search that is to go on")
        out = RunFolder(wish.typed.out.resolve())
        read_record(out)
    else:
        assert seen is not None
        out = seen[0].run
    base = shared_folder(head)
    with writer_lock(out):
        return _Laptop(head, wish, out, base, console).search(seen)


def _look_over(head: Head, typed: Arguments, now: datetime) -> tuple[Plan, VoiceDataset]:
    """Refuses here, within seconds, what would be refused there."""
    if typed.out is not None and has_record(RunFolder(typed.out)) and not typed.resume:
        raise InputError(f"{typed.out}: holds a search on a cluster; add --resume to come back to it")
    fresh = dataclasses.replace(typed, address=head.name, resume=False)
    if typed.resume:
        # The folder is known to be taken, and only the data is to be looked at.
        fresh = dataclasses.replace(fresh, out=None)
    plan = make_plan(fresh, now, {})
    with progress_bars() as on_progress:
        return plan, check_inputs(plan, on_progress).dataset


def shared_folder(head: Head) -> str:
    """The folder on the head that everything lies in. The first contact, so what is wrong is told at once.

    Raises InputError where the head cannot be reached, or was not set up.
    """
    folder = f"${{{SHARED}:-$HOME/sweetspot-shared}}"
    answer = head.run(
        f'mkdir -p "{folder}" && cd "{folder}" && mkdir -p {PROJECTS} {INPUTS} {RUNS} && '
        "command -v ray python > /dev/null && pwd"
    )
    said = "; ".join(answer.lines[-2:]) or "no answer"
    if answer.is_lost:
        raise InputError(
            f"{head.name}: the head cannot be reached ({said}); see whether the cluster is up (`ray up {head.name}`), "
            "and whether this machine may connect to it"
        )
    if answer.code:
        raise InputError(f"{head.name}: the head is not set up ({said}); run `ray up {head.name}` again")
    base = answer.lines[-1]
    if not base.startswith("/") or not set(base) <= SAFE:
        raise InputError(f"{SHARED} on the head is {base}: name a folder in letters, digits, dots, - and _")
    return base


class _Laptop:
    """One search, whose folder here is `out`, and everything of it there in `base`."""

    def __init__(self, head: Head, wish: SubmitRequest, out: RunFolder, base: str, console: Console) -> None:
        self._head, self._wish, self._out, self._base, self._console = head, wish, out, base, console
        self._here: dict[str, str] = {}
        """What paths on the head are called here."""

    def search(self, seen: tuple[Plan, VoiceDataset] | None) -> int:
        try:
            return self._search(seen)
        except LostContactError as error:
            why = f" ({error})" if error.args else ""
            self._say(f"No contact with {self._head.name}{why}; {self._come_back()}")
        except KeyboardInterrupt:
            self._say(f"\nLeft alone; {self._come_back()}")
        finally:
            shutil.rmtree(self._out.path / STAGED, ignore_errors=True)
        return INTERRUPTED

    def _search(self, seen: tuple[Plan, VoiceDataset] | None) -> int:
        earlier = read_record(self._out) if self._wish.typed.resume else None
        if earlier is not None and not earlier.fetched:
            self._say(f"Coming back to {earlier.job} on {self._head.name}")
            ended = self._to_its_end(earlier)
            if not ended.is_unknown:
                return self._told(earlier, ended)
            if not has_begun(self._head, earlier.run):
                raise InputError(f"{self._head.name}: {earlier.job} had not begun there; start it without --resume")
            self._say(f"{earlier.job} was cut off, {ended.reason}; it goes on as another job")
        record = self._start(seen, earlier)
        return self._told(record, self._to_its_end(record))

    def _start(self, seen: tuple[Plan, VoiceDataset] | None, earlier: SubmittedRun | None) -> SubmittedRun:
        wish = self._wish
        inputs = Inputs((), {})
        project = project_bundle(wish.project)
        if seen is not None:
            try:
                inputs = inputs_of(*seen, wish.options, f"{self._base}/{INPUTS}")
            except OSError as error:
                raise InputError(f"{error.filename}: cannot be read ({error.strerror})") from None
        self._send({PROJECTS: (project,), INPUTS: inputs.bundles})
        # Others may send to the same head at the same moment.
        job = f"{safe_name(self._out.path.name)}-{wish.now:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}"
        record = SubmittedRun(job=job, run=earlier.run if earlier else f"{self._base}/{RUNS}/{job}")
        write_record(self._out, record)
        command = command_line(wish.options, inputs.replacements, record.run, resume=earlier is not None)
        self._say(f"Job:    {job} on {self._head.name}, in {record.run}")
        try:
            submit_job(self._head, job, f"{self._base}/{PROJECTS}/{project.name}", command)
        except InputError:
            delete_record(self._out) if earlier is None else write_record(self._out, earlier)
            raise
        return record

    def _send(self, bundles: Mapping[str, Sequence[UploadBundle]]) -> None:
        """What does not lie there already. A folder there has its name once everything of it has arrived."""
        there = self._answered(f"cd {self._base} && ls -d {PROJECTS}/* {INPUTS}/* 2> /dev/null; true")
        lacking = {f"{place}/{each.name}": each for place, inner in bundles.items() for each in inner}
        lacking = {place: each for place, each in lacking.items() if place not in there}
        if not lacking:
            return
        self._answered(f"cd {self._base} && mkdir -p " + " ".join(f"{place}.part" for place in lacking))
        for place, bundle in lacking.items():
            self._say(f"Sends:  {bundle.name}, {len(bundle.files)} files")
            staged = self._out.path / STAGED / bundle.name
            try:
                bundle.stage(staged)
            except OSError as error:
                raise InputError(f"{error.filename}: cannot be read or copied ({error.strerror})") from None
            if not self._head.send(staged, f"{self._base}/{place}.part"):
                raise LostContactError("what has arrived is not sent again")
            shutil.rmtree(staged)
        self._answered(f"cd {self._base} && " + " && ".join(f"mv -T {place}.part {place}" for place in lacking))

    def _answered(self, command: str) -> tuple[str, ...]:
        answer = self._head.run(command)
        if answer.is_lost:
            raise LostContactError(*answer.lines[-1:])
        if answer.code:
            said = answer.lines[-1] if answer.lines else f"code {answer.code}"
            raise InputError(f"{self._head.name}: the head refused ({said}); make room or rights there")
        return answer.lines

    def _to_its_end(self, record: SubmittedRun) -> JobEnd:
        """Follows the job, and fetches what it has found."""
        self._here = {
            f"search/run.py --out {record.run}": f"search/run.py --cluster {self._head.name} --out {record.run}",
            record.run: display_path(self._out.path),
        }
        ended = self._followed(Follower(self._head, record.job, self._say, self._wish.minutes), record)
        if has_begun(self._head, record.run):
            fetch(self._head, record.run, self._out)
            self._say(f"Here:   {display_path(self._out.path)} has what was found; weights of other trials stay there")
            write_record(self._out, record.model_copy(update={"fetched": True}))
        else:
            # The folder here is as good as new.
            delete_record(self._out)
        return ended

    def _followed(self, follower: Follower, record: SubmittedRun) -> JobEnd:
        """The first Ctrl-C lets the search end in good order, the second one leaves it alone."""
        try:
            return follower.follow()
        except KeyboardInterrupt:
            self._say(
                "\nCtrl-C: the search there is asked to end its trials and keep them; once more to leave it to it"
            )
            if not request_stop(self._head, record.job):
                self._say(f"{self._head.name} did not hear that; the search goes on")
            return follower.follow()

    def _told(self, record: SubmittedRun, ended: JobEnd) -> int:
        if ended.code is not None:
            if ended.code not in KNOWN:
                self._say(f"{record.job} was ended there, exit code {ended.code}; {self._come_back()}")
            return ended.code
        self._say(f"{record.job} has ended without a word: {ended.reason}. {self._come_back().capitalize()}")
        return KILLED

    def _come_back(self) -> str:
        if not has_record(self._out):
            return "nothing has begun there: type the same again"
        command = [
            "python",
            "search/run.py",
            "--cluster",
            self._head.name,
            "--out",
            display_path(self._out.path),
            "--resume",
        ]
        return f"go on with: {shlex.join(command)}"

    def _say(self, line: str) -> None:
        for there, here in self._here.items():
            line = line.replace(there, here)
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
