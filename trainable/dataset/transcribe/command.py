"""The commands `python -m trainable.dataset transcribe DIR --asr MODEL` and `split LONG.wav DIR`.

Exit codes: 0 done, now or before; 2 wrong input.
"""

from pathlib import Path
from typing import Annotated

import typer

from spaces.cli import exit_on_input_error, progress_bars
from trainable.dataset.formatting import printable
from trainable.dataset.loading.guide import METADATA
from trainable.dataset.transcribe.review import PAGE
from trainable.dataset.transcribe.split_recording import REFERENCE_FILE, split_recording
from trainable.dataset.transcribe.transcribe import REFERENCE_TEXT, TranscriptionSummary, transcribe_folder
from trainable.speech.segmenting import ClipLengths


def transcribe(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a folder of recordings, one utterance each")],
    asr: Annotated[
        str, typer.Option(help="a recogniser as the probe takes it: a Whisper or CTC checkpoint by hub id or folder")
    ],
    language: Annotated[
        str | None, typer.Option(help="the spoken language, such as no or norwegian; by default detected for each clip")
    ] = None,
    force: Annotated[bool, typer.Option(help="write existing transcripts anew, corrected ones as well")] = False,
) -> None:
    """Transcribe a folder of recordings, and list the transcripts to review.

    The review does without confidence and detected language where a checkpoint gives none, as one with a CTC head.
    """
    with exit_on_input_error(), progress_bars() as on_progress:
        done = transcribe_folder(
            folder, asr, language, force, lambda done, total: on_progress("transcribing", done, total)
        )
    typer.echo(_summary(folder, done))


def _summary(folder: Path, done: TranscriptionSummary) -> str:
    where = printable(folder)
    if done.added:
        lines = [f"{where}: {done.added} of {done.recordings} recordings transcribed into {METADATA}"]
        lines[0] += f", {done.kept} were there" if done.kept else ""
    else:
        lines = [f"{where}: nothing to transcribe, {done.kept} of {done.recordings} recordings are in {METADATA}"]
        lines[0] += "" if done.reference else "; --force writes them anew"
    if done.wordless:
        lines.append(f"without a word: {done.wordless}; review.csv says why. Record them again, or move them away")
    if done.reference:
        lines.append(f"{REFERENCE_TEXT}: written; it must match the reference word for word, so read it first")
    if done.suspicious:
        lines.append(f"doubtful: {done.suspicious}; listen to the first ones in {printable(folder / PAGE)}")
    lines.append(f"next: python -m trainable.dataset check {where}")
    return "\n".join(lines)


def split(
    recording: Annotated[Path, typer.Argument(metavar="LONG.WAV", help="one recording of one voice, of any length")],
    out: Annotated[Path, typer.Argument(metavar="DIR", help="an empty or new folder for the clips")],
    shortest: Annotated[float, typer.Option("--min", help="least seconds of a clip, where pauses allow it")] = 2.0,
    longest: Annotated[float, typer.Option("--max", help="most seconds of a clip")] = 12.0,
    reference: Annotated[
        bool, typer.Option(help="take the best 10-30 s out of the clips, as the voice's ref.wav")
    ] = True,
) -> None:
    """Cut one long recording at its pauses into a folder of clips."""
    with exit_on_input_error():
        lengths = ClipLengths(shortest, longest)
        with progress_bars() as on_progress:
            done = split_recording(
                recording, out, lengths, reference, lambda done, total: on_progress("listening, seconds", done, total)
            )
    minutes = sum(each.seconds for each in done.clips) / 60
    typer.echo(
        f"{printable(out)}: {'already cut: ' if done.existed else ''}{len(done.clips)} clips, {minutes:.1f} min, "
        f"of {done.seconds / 60:.1f} min; the pauses are left out"
    )
    if done.reference:
        typer.echo(f"{REFERENCE_FILE}: {done.reference.seconds:.1f} s, from {done.reference.start:.1f} s on")
    elif reference:
        typer.echo("no reference: no passage of 10 to 30 s can be spared; `check` proposes one of the clips")
    typer.echo(f"next: python -m trainable.dataset transcribe {printable(out)} --asr openai/whisper-large-v3")
