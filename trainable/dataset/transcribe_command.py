"""Has recordings written down: `python -m trainable.dataset transcribe DIR --asr openai/whisper-large-v3`.

Exit codes: 0 written, or nothing to write; 2 wrong input.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spaces.command import progress_shown, told_plainly
from trainable.dataset.files import printable
from trainable.dataset.guide import METADATA
from trainable.dataset.review import PAGE
from trainable.dataset.transcribe import REFERENCE_TEXT, Transcribed, transcribe_folder


def transcribe(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a folder of recordings, one utterance each")],
    asr: Annotated[str, typer.Option(help="a Whisper: a hub id such as openai/whisper-large-v3, or a folder")],
    language: Annotated[
        str | None, typer.Option(help="what is spoken, such as no or norwegian; without it, each clip is a guess")
    ] = None,
    force: Annotated[bool, typer.Option(help="write existing transcripts anew, corrected ones as well")] = False,
) -> None:
    """Write down what is said in a folder of recordings, and what of it to listen to."""
    with told_plainly(), progress_shown() as on_progress:
        done = transcribe_folder(folder, asr, language, force, lambda done, of: on_progress("transcribing", done, of))
    typer.echo(_told(folder, done))


def _told(folder: Path, done: Transcribed) -> str:
    where = printable(folder)
    if done.added:
        lines = [f"{where}: {done.added} of {done.recordings} recordings transcribed into {METADATA}"]
        lines[0] += f", {done.kept} were there" if done.kept else ""
    else:
        lines = [f"{where}: nothing to transcribe, {done.kept} of {done.recordings} recordings are in {METADATA}"]
        lines[0] += "" if done.reference else "; --force writes them anew"
    if done.silent:
        lines.append(f"without a word: {done.silent}; review.csv says why. Record them again, or move them away")
    if done.reference:
        lines.append(f"{REFERENCE_TEXT}: written; it must match the reference word for word, so read it first")
    if done.doubtful:
        lines.append(f"doubtful: {done.doubtful}; listen to the first ones in {printable(folder / PAGE)}")
    lines.append(f"next: python -m trainable.dataset check {where}")
    return "\n".join(lines)
