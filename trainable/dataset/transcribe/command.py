"""Has recordings written down: `python -m trainable.dataset transcribe DIR --asr openai/whisper-large-v3`.

Exit codes: 0 written, or nothing to write; 2 wrong input.

Cuts one long recording into clips: `python -m trainable.dataset split LONG.wav DIR`.

Exit codes: 0 cut, or cut before; 2 wrong input.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spaces.cli import exit_on_input_error, progress_bars
from trainable.dataset.loading.guide import METADATA
from trainable.dataset.transcribe.review import PAGE
from trainable.dataset.transcribe.split_recording import REFERENCE, split_recording
from trainable.dataset.transcribe.transcribe import REFERENCE_TEXT, Transcribed, transcribe_folder
from trainable.dataset.user_files import printable
from trainable.speech.segmenting import ClipLengths


def transcribe(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a folder of recordings, one utterance each")],
    asr: Annotated[str, typer.Option(help="a Whisper: a hub id such as openai/whisper-large-v3, or a folder")],
    language: Annotated[
        str | None, typer.Option(help="what is spoken, such as no or norwegian; without it, each clip is a guess")
    ] = None,
    force: Annotated[bool, typer.Option(help="write existing transcripts anew, corrected ones as well")] = False,
) -> None:
    """Write down what is said in a folder of recordings, and what of it to listen to."""
    with exit_on_input_error(), progress_bars() as on_progress:
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


def split(
    recording: Annotated[Path, typer.Argument(metavar="LONG.WAV", help="one recording of one voice, of any length")],
    out: Annotated[Path, typer.Argument(metavar="DIR", help="an empty folder, or one to be made, for the clips")],
    shortest: Annotated[float, typer.Option("--min", help="seconds that a clip lasts at least, where it can")] = 2.0,
    longest: Annotated[float, typer.Option("--max", help="seconds that a clip lasts at most")] = 12.0,
    reference: Annotated[
        bool, typer.Option(help="keep the best 10-30 s out of the clips, as the voice's ref.wav")
    ] = True,
) -> None:
    """Cut one long recording at its pauses into a folder of clips."""
    with exit_on_input_error():
        lengths = ClipLengths(shortest, longest)
        with progress_bars() as on_progress:
            done = split_recording(
                recording, out, lengths, reference, lambda done, of: on_progress("listening, seconds", done, of)
            )
    minutes = sum(each.seconds for each in done.clips) / 60
    typer.echo(
        f"{printable(out)}: {'already cut: ' if done.found else ''}{len(done.clips)} clips, {minutes:.1f} min, "
        f"of {done.seconds / 60:.1f} min; what is left out are pauses"
    )
    if done.reference:
        typer.echo(f"{REFERENCE}: {done.reference.seconds:.1f} s from {done.reference.start:.1f} s on")
    elif reference:
        typer.echo("no reference: no passage of 10 to 30 s can be spared; `check` proposes one of the clips")
    typer.echo(f"next: python -m trainable.dataset transcribe {printable(out)} --asr openai/whisper-large-v3")
