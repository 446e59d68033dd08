"""Speaking the lines and listening to them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from spaces.probe_settings import ProbeSettings
from spaces.verdict import Flag, SpokenLine, Verdict
from trainable.audio import write_audio
from trainable.family import Utterance, Voice
from trainable.probe.calibration import Calibration
from trainable.probe.flags import flags_of
from trainable.probe.judge import SCREEN_LINES, conclude, fails_screen
from trainable.probe.likeness import HeardVoice, hear_voice
from trainable.probe.lines import lines_for
from trainable.probe.measures import measure
from trainable.probe.recogniser import Recogniser, open_recogniser
from trainable.probe.score import score_of, score_parts

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
    waves: dict[Speakers, list[np.ndarray]] = {speaker: [] for speaker in recordings}
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
                waves[speaker].append(utterance.wave)
                name = f"{folder.name}/{audio.name}"
                spoken[speaker].append(listen(text, utterance, voice, recogniser, calibration, name))
    return {
        speaker: conclude(heard, len(lines), _heard_voice(waves[speaker], voice, calibration))
        for speaker, heard in spoken.items()
    }


def _heard_voice(waves: Sequence[np.ndarray], voice: Voice, calibration: Calibration) -> HeardVoice:
    return hear_voice(
        waves,
        lambda wave: calibration.similarity(voice.speaker_embedding(wave)),
        calibration.similarity_least,
        calibration.base_similarity,
    )


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
    measured = measure(
        wave,
        text,
        recogniser.hear(wave) if recogniser else None,
        utterance.eos,
        calibration.tempo.expected_seconds(text),
    )
    sounds = measured.speech_share > 0
    similarity = calibration.similarity(voice.speaker_embedding(wave)) if sounds else None
    distance = calibration.spectral_distance(wave) if sounds else None
    flags = flags_of(measured, calibration.own)
    heard_out = utterance.eos and Flag.SILENT not in flags and measured.seconds > 0
    parts = (
        score_parts(
            measured,
            calibration.own,
            similarity=similarity,
            similarity_ceiling=calibration.similarity_ceiling,
            spectral_distance=distance,
            spectral_floor=calibration.spectral_floor,
        )
        if heard_out
        else None
    )
    return SpokenLine(
        text=text,
        heard=measured.heard,
        audio=audio,
        flags=flags,
        eos=utterance.eos,
        frames=utterance.frames,
        frame_cap=utterance.frame_cap,
        seconds=measured.seconds,
        expected_seconds=measured.expected_seconds,
        rms_dbfs=measured.rms_dbfs,
        speech_share=measured.speech_share,
        clipped_share=measured.clipped_share,
        character_error=measured.character_error,
        flatness=measured.flatness,
        repeated_share=measured.repeated_share,
        longest_pause=measured.pauses.longest_inner,
        tail=measured.pauses.tail,
        pitch_range=measured.pitch_range,
        energy_range=measured.energy_range,
        similarity=similarity,
        spectral_distance=distance,
        quality=measured.quality,
        parts=parts,
        score=score_of(parts),
    )
