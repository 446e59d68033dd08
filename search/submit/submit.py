"""Runs a search on a cluster: uploads its inputs, submits it as a Ray job, follows it and fetches its results.

In: a `Head` and a `SubmitRequest`. Out: the exit code of the search, and its results in the run folder here.
"""

import dataclasses
import shlex
import shutil
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console

from results.run.run_folder import RunFolder
from search.checking.checks import check_data
from search.console.after import DONE, EXPORT_FAILED, INTERRUPTED, NOTHING_ACCEPTED
from search.console.view import display_path, print_lines
from search.planning.arguments import Arguments
from search.planning.plan import DEMO_SPACE, Plan, make_plan
from search.run_state.lock import writer_lock
from search.submit.fetch import fetch, has_begun
from search.submit.head import Head
from search.submit.inputs import Inputs, Option, command_line, inputs_of, project_bundle
from search.submit.ray_job import LOST_MINUTES, Follower, JobEnd, LostContactError, request_stop, submit_job
from search.submit.submitted_run import SubmittedRun, delete_record, has_record, read_record, write_record
from search.submit.upload import UploadBundle, safe_name
from spaces.cli import WRONG_INPUT
from spaces.errors import InputError
from trainable.dataset.clip import VoiceDataset

EXIT_CODES = DONE, EXPORT_FAILED, WRONG_INPUT, NOTHING_ACCEPTED, INTERRUPTED
"""Of a search that ended by itself."""
KILLED = 1
"""Exit code here if the job ended without one."""
STAGING = ".sent"
"""In the run folder here: what is being uploaded."""
SHARED = "SWEETSPOT_SHARED"
"""Environment variable on the head: a folder that all nodes reach at one path."""
PROJECTS, INPUTS, RUNS = "projects", "inputs", "runs"
"""Folders in it."""
SAFE_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-")
ROOT = Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True)
class SubmitRequest:
    """A command line with `--cluster`."""

    arguments: Arguments
    options: Sequence[Option]
    now: datetime
    project: Path = ROOT
    """The checkout that is uploaded."""
    retry_minutes: float = LOST_MINUTES
    """How long a lost connection is tried again."""


def submit_search(head: Head, request: SubmitRequest, console: Console) -> int:
    """Starts a search, or returns to it on `--resume`, and follows it to its end. Returns its exit code.

    Raises InputError for options, data or a head that cannot be used.
    """
    arguments, checked = request.arguments, None
    if arguments.data or arguments.space == DEMO_SPACE or not arguments.resume:
        checked = _check_here(head, arguments, request.now)
    if arguments.resume:
        if arguments.out is None:
            raise InputError("--resume needs --out RUN, the folder of the search to continue")
        out = RunFolder(arguments.out.resolve())
        read_record(out)
    else:
        assert checked is not None
        out = checked[0].run
    base = shared_folder(head)
    with writer_lock(out):
        return _SubmittedSearch(head, request, out, base, console).run(checked)


def _check_here(head: Head, arguments: Arguments, now: datetime) -> tuple[Plan, VoiceDataset]:
    """Refuses within seconds what the head would refuse after the upload."""
    if arguments.out is not None and has_record(RunFolder(arguments.out)) and not arguments.resume:
        raise InputError(f"{arguments.out}: holds a search on a cluster; add --resume to return to it")
    local = dataclasses.replace(arguments, address=head.name, resume=False)
    if arguments.resume:
        # The folder is known to exist; only the data is checked.
        local = dataclasses.replace(local, out=None)
    plan = make_plan(local, now, {})
    return plan, check_data(plan).dataset


def shared_folder(head: Head) -> str:
    """The path of the shared folder on the head. This is the first contact, so connection problems show up here.

    Raises InputError if the head cannot be reached or was not set up.
    """
    folder = f"${{{SHARED}:-$HOME/sweetspot-shared}}"
    result = head.run(
        f'mkdir -p "{folder}" && cd "{folder}" && mkdir -p {PROJECTS} {INPUTS} {RUNS} && '
        "command -v ray python > /dev/null && pwd"
    )
    output = "; ".join(result.lines[-2:]) or "no output"
    if result.is_lost:
        raise InputError(
            f"{head.name}: the head cannot be reached ({output}); check that the cluster is up (`ray up {head.name}`) "
            "and that this machine may connect to it"
        )
    if result.code:
        raise InputError(f"{head.name}: the head is not set up ({output}); run `ray up {head.name}` again")
    base = result.lines[-1]
    if not base.startswith("/") or not set(base) <= SAFE_CHARACTERS:
        raise InputError(
            f"{SHARED} on the head is {base!r}: expected an absolute path of letters, digits, dots, - and _; rename it"
        )
    return base


class _SubmittedSearch:
    """One search: its folder here is `out`, and all its folders on the head are in `base`."""

    def __init__(self, head: Head, request: SubmitRequest, out: RunFolder, base: str, console: Console) -> None:
        self._head, self._request, self._out, self._base, self._console = head, request, out, base, console
        self._replacements: dict[str, str] = {}
        """Texts of the search's log, such as paths on the head, and what is printed instead."""

    def run(self, checked: tuple[Plan, VoiceDataset] | None) -> int:
        try:
            return self._run(checked)
        except LostContactError as error:
            reason = f" ({error})" if error.args else ""
            self._say(f"No connection to {self._head.name}{reason}; {self._how_to_continue()}")
        except KeyboardInterrupt:
            self._say(f"\nThe search is no longer followed; {self._how_to_continue()}")
        finally:
            shutil.rmtree(self._out.path / STAGING, ignore_errors=True)
        return INTERRUPTED

    def _run(self, checked: tuple[Plan, VoiceDataset] | None) -> int:
        earlier = read_record(self._out) if self._request.arguments.resume else None
        if earlier is not None and not earlier.fetched:
            self._say(f"Returning to {earlier.job} on {self._head.name}")
            end = self._follow_and_fetch(earlier)
            if not end.is_unknown:
                return self._exit_code(earlier, end)
            if not has_begun(self._head, earlier.run):
                raise InputError(f"{self._head.name}: {earlier.job} had not started there; start it without --resume")
            self._say(f"{earlier.job} was interrupted ({end.reason}); the search continues as another job")
        record = self._start(checked, earlier)
        return self._exit_code(record, self._follow_and_fetch(record))

    def _start(self, checked: tuple[Plan, VoiceDataset] | None, earlier: SubmittedRun | None) -> SubmittedRun:
        """Uploads the project and the inputs, and submits the job."""
        request = self._request
        inputs = Inputs((), {})
        project = project_bundle(request.project)
        if checked is not None:
            try:
                inputs = inputs_of(*checked, request.options, f"{self._base}/{INPUTS}")
            except OSError as error:
                raise InputError(f"{error.filename}: cannot be read ({error.strerror})") from None
        self._upload({PROJECTS: (project,), INPUTS: inputs.bundles})
        # The suffix keeps apart jobs that are submitted to one head at the same moment.
        job = f"{safe_name(self._out.path.name)}-{request.now:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}"
        record = SubmittedRun(job=job, run=earlier.run if earlier else f"{self._base}/{RUNS}/{job}")
        write_record(self._out, record)
        command = command_line(request.options, inputs.replacements, record.run, resume=earlier is not None)
        self._say(f"Job:    {job} on {self._head.name}, in {record.run}")
        try:
            submit_job(self._head, job, f"{self._base}/{PROJECTS}/{project.name}", command)
        except InputError:
            delete_record(self._out) if earlier is None else write_record(self._out, earlier)
            raise
        return record

    def _upload(self, bundles: Mapping[str, Sequence[UploadBundle]]) -> None:
        """Uploads what the head lacks. A folder on the head gets its final name when all its files have arrived."""
        there = self._run_there(f"cd {self._base} && ls -d {PROJECTS}/* {INPUTS}/* 2> /dev/null; true")
        missing = {f"{folder}/{bundle.name}": bundle for folder, inner in bundles.items() for bundle in inner}
        missing = {path: bundle for path, bundle in missing.items() if path not in there}
        if not missing:
            return
        self._run_there(f"cd {self._base} && mkdir -p " + " ".join(f"{path}.part" for path in missing))
        for path, bundle in missing.items():
            self._say(f"Sends:  {bundle.name}, {len(bundle.files)} files")
            staging = self._out.path / STAGING / bundle.name
            try:
                bundle.stage(staging)
            except OSError as error:
                raise InputError(f"{error.filename}: cannot be read or copied ({error.strerror})") from None
            if not self._head.send(staging, f"{self._base}/{path}.part"):
                raise LostContactError("files that have arrived are not sent again")
            shutil.rmtree(staging)
        self._run_there(f"cd {self._base} && " + " && ".join(f"mv -T {path}.part {path}" for path in missing))

    def _run_there(self, command: str) -> tuple[str, ...]:
        """The output of a command on the head. Raises InputError if it fails, LostContactError."""
        result = self._head.run(command)
        if result.is_lost:
            raise LostContactError(*result.lines[-1:])
        if result.code:
            output = result.lines[-1] if result.lines else f"exit code {result.code}"
            raise InputError(
                f"{self._head.name}: a command failed on the head ({output}); check its free space and permissions"
            )
        return result.lines

    def _follow_and_fetch(self, record: SubmittedRun) -> JobEnd:
        """Follows the job to its end, and fetches its results."""
        self._replacements = {
            f"search/run.py --out {record.run}": f"search/run.py --cluster {self._head.name} --out {record.run}",
            record.run: display_path(self._out.path),
        }
        follower = Follower(self._head, record.job, self._say, self._request.retry_minutes)
        end = self._follow(follower, record)
        if has_begun(self._head, record.run):
            fetch(self._head, record.run, self._out)
            self._say(f"Here:   {display_path(self._out.path)} has the results; weights of other trials stay there")
            write_record(self._out, record.model_copy(update={"fetched": True}))
        else:
            # The search never started, so the folder here can be used again.
            delete_record(self._out)
        return end

    def _follow(self, follower: Follower, record: SubmittedRun) -> JobEnd:
        """The first Ctrl-C asks the search to end in good order; the second one stops following it."""
        try:
            return follower.follow()
        except KeyboardInterrupt:
            self._say("\nCtrl-C: the search ends its trials and keeps them; press it again to stop following")
            if not request_stop(self._head, record.job):
                self._say(f"{self._head.name} could not be told to stop; the search continues")
            return follower.follow()

    def _exit_code(self, record: SubmittedRun, end: JobEnd) -> int:
        if end.code is not None:
            if end.code not in EXIT_CODES:
                self._say(f"{record.job} was killed there, exit code {end.code}; {self._how_to_continue()}")
            return end.code
        self._say(f"{record.job} ended without an exit code ({end.reason}); {self._how_to_continue()}")
        return KILLED

    def _how_to_continue(self) -> str:
        if not has_record(self._out):
            return "the search has not started there: run the same command again"
        out = display_path(self._out.path)
        command = ["python", "search/run.py", "--cluster", self._head.name, "--out", out, "--resume"]
        return f"continue with: {shlex.join(command)}"

    def _say(self, line: str) -> None:
        for text, replacement in self._replacements.items():
            line = line.replace(text, replacement)
        print_lines([line], self._console)
