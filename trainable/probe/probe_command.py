"""Judges recordings of known texts: `python -m trainable.probe CLIP --text "…"`.

Exit codes: 0 all accepted; 1 at least one rejected; 2 wrong input.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spaces.command import progress_shown, told_plainly
from spaces.errors import InputError
from trainable.cache import cache_folder
from trainable.dataset.clip import Clip
from trainable.dataset.files import printable
from trainable.dataset.opening import load_dataset
from trainable.dataset.source import Source
from trainable.probe.lines import load_lines
from trainable.probe.manifest import Asked, read_manifest
from trainable.probe.recogniser import ANY_LANGUAGE, NONE, POCKETSPHINX, check_recogniser, open_recogniser
from trainable.probe.standalone import (
    DEFAULT_PACE,
    Judged,
    Yardstick,
    check_recording,
    check_text,
    judge,
    read_recording,
    yardstick_of,
)
from trainable.probe.tempo import letters

if TYPE_CHECKING:
    from rich.console import Console

REJECTED = 1
"""Exit code where at least one recording is not what it should be."""
MOST_LIKE = 40
"""Recordings of the voice that are measured."""
DISTRACTORS = "digits"
"""Lines whose words pocketsphinx may hear besides those of the texts: with nothing else to choose from, it hears the
text in anything. With hundreds of words to choose from, it hears few of them right."""


def probe(
    clip: Annotated[Path | None, typer.Argument(metavar="CLIP", help="a recording of somebody who speaks")] = None,
    text: Annotated[str | None, typer.Option(help="what should be said in it")] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help='many: JSON lines of {"audio": …, "text": …, "language": optional}'),
    ] = None,
    language: Annotated[str, typer.Option(help="as the recogniser codes it, or auto")] = ANY_LANGUAGE,
    recogniser: Annotated[
        str, typer.Option(help=f"{POCKETSPHINX}, a Whisper or CTC checkpoint by hub id or folder, or {NONE}")
    ] = NONE,
    like: Annotated[
        str | None, typer.Option(metavar="DATA", help="recordings of the same voice, as --data of a search")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object a line, and nothing else")] = False,
) -> None:
    """Judge whether a recording says what it should, as a listener would."""
    with told_plainly():
        asked = _asked(clip, text, manifest, language)
        for each in dict.fromkeys(one.language for one in asked):
            check_recogniser(recogniser, each)
        own = _like(like) if like is not None else []
        accepted = True
        with progress_shown() as on_progress:
            for done, judged in enumerate(_judged(asked, recogniser, own), start=1):
                _tell(judged, as_json)
                accepted &= judged.accepted
                on_progress("listening", done, len(asked))
    if not accepted:
        raise typer.Exit(REJECTED)


def _asked(clip: Path | None, text: str | None, manifest: Path | None, language: str) -> list[Asked]:
    if manifest is not None and (clip is not None or text is not None):
        raise InputError("--manifest: expected it alone, got CLIP or --text as well; leave one of them out")
    if manifest is not None:
        return read_manifest(manifest, language)
    if clip is None or text is None:
        raise InputError('expected CLIP --text "what is said in it", or --manifest FILE')
    check_recording(clip)
    check_text(text, "--text")
    return [Asked(audio=clip, name=printable(clip), text=text, language=language)]


def _like(data: str) -> list[Clip]:
    """Up to 40 clips of the first speaker, from all over the dataset."""
    with progress_shown() as on_progress:
        dataset = load_dataset([Source.parse(data)], True, cache_folder(), on_progress)
    first = dataset.speakers[0]
    clips = [clip for clip in dataset.clips if clip.speaker == first.name and letters(clip.text)]
    if not clips:
        raise InputError(f"--like {printable(data)}: expected transcripts with letters, got none")
    count = min(MOST_LIKE, len(clips))
    return [clips[place * len(clips) // count] for place in range(count)]


def _judged(asked: Sequence[Asked], name: str, own: Sequence[Clip]) -> Iterator[Judged]:
    """In the order of the languages' first recordings, so that each recogniser is loaded once."""
    for language in dict.fromkeys(each.language for each in asked):
        some = [each for each in asked if each.language == language]
        texts = [*(each.text for each in some), *(clip.text for clip in own), *load_lines(DISTRACTORS)]
        # What a library prints on the way is not part of the verdict.
        with contextlib.redirect_stdout(sys.stderr):
            recogniser = open_recogniser(name, texts, language)
            yardstick = yardstick_of(own, recogniser) if own else Yardstick()
        for each in some:
            with contextlib.redirect_stdout(sys.stderr):
                judged = judge(each.name, each.text, read_recording(each.audio), recogniser, yardstick)
            yield judged


def _tell(judged: Judged, as_json: bool) -> None:
    if as_json:
        typer.echo(judged.model_dump_json())
        return
    from rich.console import Console

    render(judged, Console(highlight=False))


def render(judged: Judged, console: Console) -> None:
    """Prints the verdict, every measure with its threshold, and what is unknown."""
    from rich.table import Table
    from rich.text import Text

    verdict = "accepted" if judged.accepted else "rejected"
    raised = f": {', '.join(judged.flags)}" if judged.flags else ""
    head = Text(f"{judged.audio}  ").append(f"{verdict}{raised}", "bold green" if judged.accepted else "bold red")
    console.print(head)
    if judged.heard is not None:
        console.print(Text(f"heard: {printable(judged.heard) or 'nothing'}"))
    table = Table("flag", "measure", "value", "expected", "origin", box=None, pad_edge=False)
    for name, each in judged.measures.items():
        style = "dim" if each.flag in judged.unknown else "red" if each.is_beyond else ""
        value = "—" if each.value is None else f"{each.value:.3g}"
        table.add_row(each.flag, name, value, str(each.threshold or "unknown"), Text(each.origin), style=style)
    console.print(table)
    for flag, why in judged.unknown.items():
        console.print(Text(f"unknown: {flag}, {why}", "yellow"))
    if any("default pace" in each.origin for each in judged.measures.values()):
        console.print(Text(f"default pace: {DEFAULT_PACE}", "dim"))
    console.print()
