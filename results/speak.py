"""Says something with an exported adapter: `python -m results.speak DIR "text" out.wav`.

Exit codes: 0 said, 1 the voice did not stop by itself, 2 wrong input.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from results.exported import check_family, read_exported
from spaces.command import told_plainly
from spaces.errors import InputError

DID_NOT_STOP = 1


def speak(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="an exported adapter")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="what to say")],
    out: Annotated[Path, typer.Argument(metavar="OUT.WAV", help="where the speech goes, 24 kHz mono")],
    seed: Annotated[int, typer.Option(help="equal seeds, equal speech")] = 0,
    model: Annotated[str | None, typer.Option(help="a base model other than the one the adapter names")] = None,
) -> None:
    """Say a text in the voice of an exported adapter."""
    with told_plainly():
        exported = read_exported(folder)
        family = check_family(exported)
        _check_arguments(text, out)

        from trainable.audio import SAMPLE_RATE, write_audio
        from trainable.family import Cue, load_family

        speaker = load_family(family).load_exported(folder, model)
        spoken = speaker.speak(Cue(text.strip(), seed, exported.tempo.frame_cap(text)), exported.sampling)
        try:
            write_audio(out, spoken.wave)
        except (OSError, RuntimeError) as error:
            raise InputError(f"{out}: cannot be written ({error}); give another OUT.WAV") from None
    seconds = len(spoken.wave) / SAMPLE_RATE
    if not spoken.eos:
        typer.secho(
            f"{out}: {seconds:.1f} s, cut off at {spoken.frame_cap} frames: the voice did not end its sentence. "
            "Try another --seed; if it happens often, another trial",
            err=True,
            fg="red",
        )
        raise typer.Exit(DID_NOT_STOP)
    typer.echo(f"{out}: {seconds:.1f} s, and the voice ended its sentence by itself")


def _check_arguments(text: str, out: Path) -> None:
    """What can be known to fail before a model is loaded."""
    if not text.strip():
        raise InputError("the text is empty; give something to say, in quotes")
    if out.suffix.lower() != ".wav":
        raise InputError(f"{out}: expected a name that ends in .wav")
    if out.is_dir():
        raise InputError(f"{out}: is a folder; give a file's name")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent}: no such folder; make it or give another OUT.WAV")
    if not os.access(out.parent, os.W_OK):
        raise InputError(f"{out.parent}: cannot be written to; give another OUT.WAV")


if __name__ == "__main__":
    typer.run(speak)
