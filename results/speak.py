"""Says something with an exported adapter: `python -m results.speak DIR "text" out.wav`.

Any layout of `results.export` will do, and adapters of other trainers. Exit codes: 0 said, 1 the voice did not stop by
itself, 2 wrong input.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from results.export.adapter_manifest import MANIFEST, read_manifest
from results.run.run_folder import require_known_family
from spaces.cli import exit_on_input_error
from spaces.errors import InputError
from spaces.families import FAMILIES
from spaces.probe_settings import Sampling
from trainable.speech.tempo import CHARACTERS_PER_SECOND, PAUSE_SECONDS, SpeakingRate

DID_NOT_STOP = 1


@dataclass(frozen=True)
class _Manner:
    """How the voice in a folder speaks."""

    family: str
    language: str | None
    sampling: Sampling
    tempo: SpeakingRate


def speak(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="an exported adapter or checkpoint")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="what to say")],
    out: Annotated[Path, typer.Argument(metavar="OUT.WAV", help="where the speech goes, 24 kHz mono")],
    seed: Annotated[int, typer.Option(help="equal seeds, equal speech")] = 0,
    base: Annotated[
        str | None, typer.Option("--base", "--model", help="a base model other than the one the adapter names")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="a recording of the voice, where the folder holds none")
    ] = None,
) -> None:
    """Say a text in the voice of an exported adapter."""
    with exit_on_input_error():
        _check_arguments(folder, text, out)
        manner = _manner(folder)

        from trainable.family.protocol import SpeechPrompt, load_family
        from trainable.speech.audio import SAMPLE_RATE, write_audio

        speaker = load_family(manner.family).load_exported(folder, base, manner.language, reference)
        spoken = speaker.speak(SpeechPrompt(text.strip(), seed, manner.tempo.frame_cap(text)), manner.sampling)
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


def _manner(folder: Path) -> _Manner:
    """What an export of Sweetspot says of itself; of anything else nothing is known, and the usual is taken."""
    if (folder / MANIFEST).is_file():
        exported = read_manifest(folder)
        family = require_known_family(exported.family, f"{folder / MANIFEST}")
        return _Manner(family, exported.language, exported.sampling, exported.tempo)
    pace = SpeakingRate(pause=PAUSE_SECONDS, per_letter=1 / CHARACTERS_PER_SECOND)
    return _Manner(FAMILIES["qwen3_tts"].module, None, Sampling(), pace)


def _check_arguments(folder: Path, text: str, out: Path) -> None:
    """What can be known to fail before a model is loaded."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected an adapter that `python -m results.export RUN DIR` wrote")
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
