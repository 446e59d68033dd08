"""The space that a ledger records, with which a resumed search goes on unchanged."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from results.run.ledger import History, SearchStarted
from results.run.run_folder import RunFolder
from search.planning.arguments import Arguments
from search.planning.given_space import (
    absolute_if_here,
    language_code,
    language_named,
    load_given_space,
    with_probe_options,
)
from spaces.errors import InputError
from spaces.probe_settings import AUTO
from spaces.space import Budget, Space

NOT_COMPARED = {"budget", "evidence"}
"""Parts of a space that options change, so a resumed search does not compare them."""


def recorded_space(run: RunFolder, history: History, started: SearchStarted) -> tuple[Space, Budget]:
    """The space that the search started with, and its latest budget."""
    try:
        space = Space.model_validate(started.space)
        return space, Budget.model_validate(history.budget) if history.budget else space.budget
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise InputError(
            f"{run.ledger}: this version of Sweetspot cannot search its space ({where}: {problem['msg']}); continue "
            "with the version that started it, or start a new search with another --out"
        ) from None


def refuse_changes(arguments: Arguments, started: SearchStarted) -> None:
    """Raises InputError where an option differs from what the search started with."""
    if arguments.like:
        raise InputError(
            "--like cannot be given with --resume: the ledger holds the prior runs that this search started with; "
            "leave it out"
        )
    recorded_fields = {key: value for key, value in started.space.items() if key not in NOT_COMPARED}
    probe = started.space["probe"]
    space = None
    if arguments.space:
        given_space = with_probe_options(load_given_space(arguments.space), arguments, started.model)
        space = _settled(given_space.model_dump(mode="json", exclude=NOT_COMPARED), recorded_fields)
    language = arguments.language and language_named(arguments.language).code
    for option, given, recorded in (
        ("--space", space, recorded_fields),
        (
            "--language",
            language,
            language_code(probe.get("language", AUTO)),
        ),
        ("--recogniser", arguments.recogniser and absolute_if_here(arguments.recogniser), probe.get("recogniser")),
        ("--model", arguments.model and absolute_if_here(arguments.model), started.model),
        ("--seed", arguments.seed, started.seed),
    ):
        if given not in (None, AUTO) and given != recorded:
            expected = "" if option == "--space" else f", which is {recorded}"
            raise InputError(
                f"{option} differs from the one this search started with{expected}; leave it out, or start a new "
                "search with another --out"
            )


def _settled(space: dict[str, Any], recorded: Mapping[str, Any]) -> dict[str, Any]:
    """The space with what it leaves to be chosen as it was chosen when the search started."""
    chosen = recorded["probe"]
    probe = {key: chosen.get(key) if value == AUTO else value for key, value in space["probe"].items()}
    if "language" in chosen and language_code(probe["language"]) == language_code(chosen["language"]):
        probe["language"] = chosen["language"]
    language = recorded["language"] if space["language"] == AUTO else space["language"]
    return {**space, "probe": probe, "language": language}
