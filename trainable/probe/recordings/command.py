"""The command that judges recordings of known texts: `python -m trainable.probe CLIP --text "…"`.

Exit codes: 0 all accepted; 1 at least one rejected; 2 wrong input.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spaces.cli import exit_on_input_error, progress_bars
from spaces.errors import InputError
from trainable.dataset.clip import Clip
from trainable.dataset.formatting import printable
from trainable.dataset.loading.load import load_dataset
from trainable.dataset.source import Source
from trainable.files.cache import cache_folder
from trainable.probe.recordings.audio_file import check_recording, read_recording
from trainable.probe.recordings.criteria_view import print_criteria
from trainable.probe.recordings.judge_recording import (
    DEFAULT_PACE,
    RecordingToJudge,
    RecordingVerdict,
    VoiceBaseline,
    check_text,
    judge_recording,
    measure_voice,
)
from trainable.probe.recordings.manifest import read_manifest
from trainable.probe.recordings.reference_voices import ReferenceVoices
from trainable.probe.speaker.encoder import RESEMBLYZER, check_speaker_encoder
from trainable.probe.texts.lines import load_lines
from trainable.speech.asr.recogniser import ANY_LANGUAGE, NONE, POCKETSPHINX, check_recogniser, open_recogniser
from trainable.speech.tempo import letters
from trainable.speech.text.error_rate import normalise

if TYPE_CHECKING:
    from rich.console import Console

REJECTED = 1
"""Exit code for at least one rejected recording."""
MAX_VOICE_CLIPS = 40
"""Recordings of `--like` that are measured."""
DIGIT_LINES = "digits"
"""Lines added to pocketsphinx's vocabulary when all texts are digits: its distractors are then digits alone, which
halves the character error on ten of the demo voice's lines at 8 kHz, from 0.12 to 0.06."""


def probe(
    clip: Annotated[Path | None, typer.Argument(metavar="CLIP", help="a recording of speech")] = None,
    text: Annotated[str | None, typer.Option(help="the text that it should speak")] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help='many: JSON lines of {"audio": …, "text": …, "language": optional, "reference": optional}',
        ),
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(metavar="AUDIO", help="a recording of the voice that it should be, of 14 s or more")
    ] = None,
    language: Annotated[str, typer.Option(help="language code of the recogniser, or auto")] = ANY_LANGUAGE,
    recogniser: Annotated[
        str, typer.Option(help=f"{POCKETSPHINX}, a Whisper or CTC checkpoint by hub id or folder, or {NONE}")
    ] = NONE,
    like: Annotated[
        str | None, typer.Option(metavar="DATA", help="recordings of the same voice, as --data of a search")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help=f"what compares voices: {RESEMBLYZER} (where installed, it is used without asking), an x-vector "
            "checkpoint by hub id or folder, or the folder of a Qwen3-TTS checkpoint",
        ),
    ] = None,
    criteria: Annotated[
        bool, typer.Option("--criteria", help="print every flag and measure with its healthy values, and judge nothing")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object a line, and nothing else")] = False,
) -> None:
    """Judge whether a recording says what it should, as a listener would."""
    if criteria:
        print_criteria(as_json)
        return
    with exit_on_input_error():
        requests = _requests(clip, text, manifest, language, reference)
        for each in dict.fromkeys(request.language for request in requests):
            check_recogniser(recogniser, each)
        if encoder is not None:
            check_speaker_encoder(encoder)
        own = _voice_clips(like) if like is not None else []
        accepted = True
        with progress_bars() as on_progress:
            for done, verdict in enumerate(_verdicts(requests, recogniser, encoder, own), start=1):
                _print_verdict(verdict, as_json)
                accepted &= verdict.accepted
                on_progress("judging", done, len(requests))
    if not accepted:
        raise typer.Exit(REJECTED)


def _requests(
    clip: Path | None, text: str | None, manifest: Path | None, language: str, reference: Path | None
) -> list[RecordingToJudge]:
    if manifest is not None and (clip is not None or text is not None):
        raise InputError("--manifest: expected it alone, got CLIP or --text as well; leave one of them out")
    if reference is not None:
        try:
            check_recording(reference)
        except InputError as error:
            raise InputError(f"--reference {error}") from None
    if manifest is not None:
        return read_manifest(manifest, language, reference)
    if clip is None or text is None:
        raise InputError('expected CLIP --text "what is said in it", or --manifest FILE')
    check_recording(clip)
    check_text(text, "--text")
    return [RecordingToJudge(audio=clip, name=printable(clip), text=text, language=language, reference=reference)]


def _voice_clips(data: str) -> list[Clip]:
    """Up to 40 clips of the first speaker, spread over the dataset."""
    with progress_bars() as on_progress:
        dataset = load_dataset([Source.parse(data)], True, cache_folder(), on_progress)
    first = dataset.speakers[0]
    clips = [clip for clip in dataset.clips if clip.speaker == first.name and letters(clip.text)]
    if not clips:
        raise InputError(f"--like {printable(data)}: expected transcripts with letters, got none")
    count = min(MAX_VOICE_CLIPS, len(clips))
    return [clips[place * len(clips) // count] for place in range(count)]


def _verdicts(
    requests: Sequence[RecordingToJudge], name: str, encoder: str | None, own: Sequence[Clip]
) -> Iterator[RecordingVerdict]:
    """Grouped by language in the order of first occurrence, so that each recogniser is loaded once."""
    references = ReferenceVoices(encoder, [read_recording(clip.audio).wave for clip in own])
    for language in dict.fromkeys(request.language for request in requests):
        group = [request for request in requests if request.language == language]
        texts = _vocabulary([*(request.text for request in group), *(clip.text for clip in own)])
        # Libraries may print; stdout is for verdicts only.
        with contextlib.redirect_stdout(sys.stderr):
            recogniser = open_recogniser(name, texts, language)
            baseline = measure_voice(own, recogniser, language) if own else VoiceBaseline()
        for request in group:
            with contextlib.redirect_stdout(sys.stderr):
                recording = read_recording(request.audio)
                similarity = references.similarity(request.reference, recording.wave)
                verdict = judge_recording(request, recording, recogniser, baseline, similarity)
            yield verdict


def _vocabulary(texts: Sequence[str]) -> list[str]:
    digits = [line.text for line in load_lines(DIGIT_LINES)]
    known = {word for line in digits for word in normalise(line).split()}
    return [*texts, *digits] if all(word in known for text in texts for word in normalise(text).split()) else [*texts]


def _print_verdict(verdict: RecordingVerdict, as_json: bool) -> None:
    if as_json:
        typer.echo(verdict.model_dump_json())
        return
    from rich.console import Console

    _render(verdict, Console(highlight=False))


def _render(verdict: RecordingVerdict, console: Console) -> None:
    """Prints the verdict, every measure with its threshold, and the unknown flags."""
    from rich.table import Table
    from rich.text import Text

    result = "accepted" if verdict.accepted else "rejected"
    raised = f": {', '.join(verdict.flags)}" if verdict.flags else ""
    head = Text(f"{verdict.audio}  ").append(f"{result}{raised}", "bold green" if verdict.accepted else "bold red")
    console.print(head)
    if verdict.heard is not None:
        console.print(Text(f"heard: {printable(verdict.heard) or 'nothing'}"))
    table = Table("flag", "measure", "value", "expected", "origin", box=None, pad_edge=False)
    for name, each in verdict.measures.items():
        style = "dim" if each.flag in verdict.unknown else "red" if each.is_beyond else ""
        value = "—" if each.value is None else f"{each.value:.3g}"
        expected = str(each.threshold or "unknown") if each.flag else "—"
        table.add_row(each.flag or "—", name, value, expected, Text(each.origin), style=style)
    console.print(table)
    for flag, why in verdict.unknown.items():
        console.print(Text(f"unknown: {flag}, {why}", "yellow"))
    if any("default pace" in each.origin for each in verdict.measures.values()):
        console.print(Text(f"default pace: {DEFAULT_PACE}", "dim"))
    console.print()
