"""Speaking the lines and listening to them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from spaces.probe_settings import ProbeSettings
from spaces.verdict import Flag, SpokenLine, Verdict
from trainable.audio import SAMPLE_RATE, write_audio
from trainable.family import Utterance, Voice
from trainable.probe.calibration import Calibration
from trainable.probe.judge import SCREEN_LINES, conclude, fails_screen, flags_of, line_score
from trainable.probe.lines import lines_for
from trainable.probe.recogniser import Recogniser, open_recogniser
from trainable.probe.signal import clipped_share, rms_dbfs, speech_share
from trainable.probe.words import character_error

Speakers = TypeVar("Speakers", bound=Hashable)
Speak = Callable[[Sequence[Speakers], Sequence[str], int, Sequence[int]], Mapping[Speakers, Sequence[Utterance]]]
"""Lets every one of these speakers say all the lines, line i from `seed + i`, each up to its cap of frames."""


def probe(
    speak: Speak[Speakers],
    voice: Voice,
    settings: ProbeSettings,
    calibration: Calibration,
    seed: int,
    recordings: Mapping[Speakers, Path],
    whole: bool = False,
) -> dict[Speakers, Verdict]:
    """Lets all speakers say four lines, and the rest those whom the four do not already reject; `whole`, everybody.

    Lines and seeds are the same for every trial, so verdicts compare line by line. Each line is recorded in the
    speaker's folder of `recordings` as `line_00.wav`.
    """
    lines = lines_for(settings.lines, voice.roster)
    recogniser = open_recogniser(settings.recogniser, calibration.vocabulary, settings.language)
    spoken: dict[Speakers, list[SpokenLine]] = {speaker: [] for speaker in recordings}
    for first, last in ((0, SCREEN_LINES), (SCREEN_LINES, len(lines))):
        speakers = [speaker for speaker, heard in spoken.items() if whole or not fails_screen(heard)]
        if not speakers or not lines[first:last]:
            break
        caps = [calibration.tempo.frame_cap(text) for text in lines[first:last]]
        said = speak(speakers, lines[first:last], seed + first, caps)
        for speaker in speakers:
            folder = recordings[speaker]
            for number, (text, utterance) in enumerate(zip(lines[first:last], said[speaker], strict=True), start=first):
                audio = folder / f"line_{number:02d}.wav"
                write_audio(audio, utterance.wave)
                name = f"{folder.name}/{audio.name}"
                spoken[speaker].append(listen(text, utterance, voice, recogniser, calibration, name))
    return {speaker: conclude(heard, len(lines)) for speaker, heard in spoken.items()}


def listen(
    text: str,
    utterance: Utterance,
    voice: Voice,
    recogniser: Recogniser | None,
    calibration: Calibration,
    audio: str,
) -> SpokenLine:
    """Measures one spoken line. A line with hardly any sound is not asked for words or voice: it has none."""
    wave = utterance.wave
    expected, seconds = calibration.tempo.expected_seconds(text), wave.size / SAMPLE_RATE
    level, speech, clipped = rms_dbfs(wave), speech_share(wave), clipped_share(wave)
    heard = recogniser.hear(wave) if recogniser else None
    error = character_error(text, heard) if heard is not None else None
    similarity = calibration.similarity(voice.speaker_embedding(wave)) if speech > 0 else None
    distance = calibration.spectral_distance(wave) if speech > 0 else None
    flags = flags_of(
        eos=utterance.eos,
        seconds=seconds,
        expected_seconds=expected,
        text=text,
        rms_dbfs=level,
        speech_share=speech,
        clipped_share=clipped,
        character_error=error,
        ground_truth_p95=calibration.character_error_p95,
    )
    return SpokenLine(
        text=text,
        heard=heard,
        audio=audio,
        flags=flags,
        eos=utterance.eos,
        frames=utterance.frames,
        frame_cap=utterance.frame_cap,
        seconds=seconds,
        expected_seconds=expected,
        rms_dbfs=level,
        speech_share=speech,
        clipped_share=clipped,
        character_error=error,
        similarity=similarity,
        spectral_distance=distance,
        score=line_score(
            eos=utterance.eos,
            silent=Flag.SILENT in flags,
            seconds=seconds,
            expected_seconds=expected,
            character_error=error,
            similarity=similarity,
            similarity_ceiling=calibration.similarity_ceiling,
            spectral_distance=distance,
            spectral_floor=calibration.spectral_floor,
        ),
    )
