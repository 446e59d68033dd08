"""Cuts one long recording into clips: `python -m trainable.dataset split LONG.wav DIR`.

Exit codes: 0 cut, or cut before; 2 wrong input.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spaces.command import progress_shown, told_plainly
from trainable.dataset.cutting import Lengths
from trainable.dataset.files import printable
from trainable.dataset.split import REFERENCE, split_recording


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
    with told_plainly():
        lengths = Lengths(shortest, longest)
        with progress_shown() as on_progress:
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
