"""Speaks a text with an exported adapter: `python -m results.speak DIR "text" out.wav`.

It takes every layout of `results.export`, and adapters of other trainers. Exit codes: 0 spoken, 1 the voice did not
stop by itself, 2 wrong input.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from results.export.adapter_manifest import MANIFEST, read_manifest
from spaces.cli import exit_on_input_error
from spaces.errors import InputError
from spaces.families import FAMILIES
from spaces.probe_settings import Sampling
from trainable.speech.tempo import CHARACTERS_PER_SECOND, PAUSE_SECONDS, SpeakingRate

DID_NOT_STOP = 1


@dataclass(frozen=True)
class _VoiceSettings:
    """How the voice in a folder speaks."""

    family: str
    language: str | None
    sampling: Sampling
    tempo: SpeakingRate


def speak(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="an exported adapter or checkpoint")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="text to speak")],
    out: Annotated[Path, typer.Argument(metavar="OUT.WAV", help="file to write, 24 kHz mono")],
    seed: Annotated[int, typer.Option(help="seed of the sampling; equal seeds give equal speech")] = 0,
    base: Annotated[
        str | None, typer.Option("--base", "--model", help="base model in place of the one that the adapter names")
    ] = None,
    reference: Annotated[Path | None, typer.Option(help="recording of the voice, where the folder holds none")] = None,
) -> None:
    """Speak a text in the voice of an exported adapter."""
    with exit_on_input_error():
        _check_arguments(folder, text, out)
        settings = _settings(folder)

        from trainable.family.protocol import SpeechPrompt, load_family
        from trainable.speech.audio import SAMPLE_RATE, write_audio

        synthesiser = load_family(settings.family).load_exported(folder, base, settings.language, reference)
        prompt = SpeechPrompt(text.strip(), seed, settings.tempo.frame_cap(text))
        utterance = synthesiser.speak(prompt, settings.sampling)
        try:
            write_audio(out, utterance.wave)
        except (OSError, RuntimeError) as error:
            raise InputError(f"{out}: cannot be written ({error}); give another OUT.WAV") from None
    seconds = len(utterance.wave) / SAMPLE_RATE
    if not utterance.eos:
        typer.secho(
            f"{out}: {seconds:.1f} s, cut off at {utterance.frame_cap} frames: the voice did not end its sentence. "
            "Try another --seed, or another trial if it happens often",
            err=True,
            fg="red",
        )
        raise typer.Exit(DID_NOT_STOP)
    typer.echo(f"{out}: {seconds:.1f} s, and the voice ended its sentence by itself")


def _settings(folder: Path) -> _VoiceSettings:
    """Settings from the manifest of an export; defaults for an adapter of another trainer."""
    if (folder / MANIFEST).is_file():
        manifest = read_manifest(folder)
        return _VoiceSettings(manifest.family, manifest.language, manifest.sampling, manifest.tempo)
    tempo = SpeakingRate(pause=PAUSE_SECONDS, per_letter=1 / CHARACTERS_PER_SECOND)
    return _VoiceSettings(FAMILIES["qwen3_tts"].module, None, Sampling(), tempo)


def _check_arguments(folder: Path, text: str, out: Path) -> None:
    """Raises InputError for what would fail after the model is loaded."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected an adapter that `python -m results.export RUN DIR` wrote")
    if not text.strip():
        raise InputError("the text is empty; give a text in quotes")
    if out.suffix.lower() != ".wav":
        raise InputError(f"{out}: expected a name that ends in .wav")
    if out.is_dir():
        raise InputError(f"{out}: is a folder; give the name of a file")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent}: no such folder; make it or give another OUT.WAV")
    if not os.access(out.parent, os.W_OK):
        raise InputError(f"{out.parent}: cannot be written to; give another OUT.WAV")


if __name__ == "__main__":
    typer.run(speak)
