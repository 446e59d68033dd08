"""Speaking the lines and listening to them."""

from __future__ import annotations

from pathlib import Path

from spaces.probe_settings import ProbeSettings
from spaces.verdict import Flag, SpokenLine, Verdict
from trainable.audio import SAMPLE_RATE, write_audio
from trainable.family import Learner, Utterance
from trainable.probe.calibration import Calibration
from trainable.probe.judge import SCREEN_LINES, conclude, fails_screen, flags_of, line_score
from trainable.probe.lines import load_lines
from trainable.probe.recogniser import Recogniser, open_recogniser
from trainable.probe.signal import clipped_share, rms_dbfs, speech_share
from trainable.probe.words import character_error


def probe(
    learner: Learner,
    settings: ProbeSettings,
    calibration: Calibration,
    seed: int,
    recordings: Path,
    whole: bool = False,
) -> Verdict:
    """Speaks four lines, and the rest unless those already reject; `whole` speaks all of them whatever is heard.

    Lines, batches and seeds are the same for every trial, so verdicts compare line by line. Each line is recorded in
    `recordings` as `line_00.wav`.
    """
    lines = load_lines(settings.lines)
    recogniser = open_recogniser(settings.recogniser, calibration.vocabulary)
    spoken: list[SpokenLine] = []
    for batch in (lines[:SCREEN_LINES], lines[SCREEN_LINES:]):
        caps = [calibration.tempo.frame_cap(text) for text in batch]
        utterances = learner.speak(batch, seed + len(spoken), caps, settings.sampling) if batch else []
        for text, utterance in zip(batch, utterances, strict=True):
            audio = recordings / f"line_{len(spoken):02d}.wav"
            write_audio(audio, utterance.wave)
            spoken.append(listen(text, utterance, learner, recogniser, calibration, f"{recordings.name}/{audio.name}"))
        if not whole and fails_screen(spoken):
            break
    return conclude(spoken, len(lines))


def listen(
    text: str,
    utterance: Utterance,
    learner: Learner,
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
    similarity = calibration.similarity(learner.speaker_embedding(wave)) if speech > 0 else None
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
