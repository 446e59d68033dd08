"""The space that the command line names, with the language and the recogniser that it says."""

import importlib
from pathlib import Path

from search.planning.arguments import Arguments
from spaces.errors import InputError
from spaces.families import FAMILIES
from spaces.probe_settings import AUTO
from spaces.space import Space, load_space
from trainable.speech.recogniser_choice.languages import Language, find_language, language_of_lines, near_languages


def load_given_space(name: str) -> Space:
    """The space, with absolute paths for its probe, because workers have other working directories."""
    space = load_space(name)
    lines, recogniser = Path(space.probe.lines), Path(space.probe.recogniser)
    paths = {"lines": lines} if lines.is_file() else {}
    paths |= {"recogniser": recogniser} if recogniser.is_dir() else {}
    absolute = {field: str(path.resolve()) for field, path in paths.items()}
    return space.model_copy(update={"probe": space.probe.model_copy(update=absolute)})


def with_probe_options(space: Space, arguments: Arguments, model: str) -> Space:
    """The space with what `--language` and `--recogniser` say.

    A language is also that of the model, where the model knows it; shipped lines follow it. Raises InputError for a
    language that no recogniser is known for.
    """
    if arguments.recogniser:
        recogniser = {"recogniser": absolute_if_here(arguments.recogniser)}
        space = space.model_copy(update={"probe": space.probe.model_copy(update=recogniser)})
    if not arguments.language:
        return space
    language, check = language_named(arguments.language), FAMILIES[space.family].check
    known = importlib.import_module(check).known_languages(model) if check else ()
    lines = AUTO if language_of_lines(space.probe.lines) else space.probe.lines
    probe = space.probe.model_copy(update={"language": language.code, "lines": lines})
    return space.model_copy(update={"language": language.name if language.name in known else AUTO, "probe": probe})


def language_named(code_or_name: str) -> Language:
    """The language of `--language`. Raises InputError, with some that are known, for any other text."""
    language = find_language(code_or_name)
    if language is None:
        raise InputError(
            f"--language {code_or_name}: expected a code or an English name such as {near_languages(code_or_name)}; a "
            "language that no Whisper knows is written in the space: language, lines and recogniser of its [probe]"
        )
    return language


def language_code(code_or_name: str) -> str:
    """One spelling for each language; a text that names none stays as it is."""
    language = find_language(code_or_name)
    return language.code if language else code_or_name


def absolute_if_here(model: str) -> str:
    """The absolute path of a folder; a hub id stays as it is."""
    return str(Path(model).resolve()) if Path(model).exists() else model
