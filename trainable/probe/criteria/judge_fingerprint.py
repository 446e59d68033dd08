"""Records what a search judges by, before its first trial: thresholds, weights, lines, settings, a fingerprint."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spaces.frozen_model import FrozenModel
from spaces.probe_settings import ProbeSettings
from spaces.records.verdict import Flag, ProbeLine
from trainable.files.atomic import write_text
from trainable.probe.criteria import score
from trainable.probe.criteria.calibration import Calibration
from trainable.probe.criteria.flags import character_error_threshold
from trainable.probe.criteria.judge import MEDIAN_TEMPO
from trainable.probe.measures.level import MAX_CLIPPED_SHARE, MIN_DBFS, MIN_SPEECH_SHARE
from trainable.probe.measures.missing_words import omitted_threshold
from trainable.probe.measures.noise import noise_threshold
from trainable.probe.measures.pauses import MAX_TAIL, inner_pause_threshold
from trainable.probe.measures.prosody import flat_threshold
from trainable.probe.measures.repeated_words import MAX_INSERTED_SHARE, MIN_TRAILING_WORDS
from trainable.probe.measures.similarity import SIMILARITY_MARGIN
from trainable.probe.measures.sound_loops import MAX_REPEATED_SHARE
from trainable.probe.measures.stutter import MAX_STUTTER
from trainable.speech.tempo import FRAME_CAP_FACTOR, tempo_bounds

FILE = "judge.json"
FROM_VOICE = "the voice's own recordings through the codec and back"
DEFAULT = "a start value, from made corruptions of synthetic voices"
TEMPO = f"{DEFAULT}; the expected by {FROM_VOICE}"
"""Origins of thresholds. They are part of the fingerprint: another wording gives another fingerprint."""


class FlagThreshold(FrozenModel):
    """One threshold."""

    flag: Flag
    measure: str
    threshold: float | None
    """None without anything to compare with: the flag is then unknown, or judged by its other measures."""
    origin: str


class JudgeFingerprint(FrozenModel):
    """What all verdicts of a search are judged by."""

    fingerprint: str
    """Of all fields below, and of all measures of the voice; a verdict carries it as `judge`."""
    yardsticks: tuple[FlagThreshold, ...]
    weights: dict[str, int]
    """Of the parts of a score."""
    lines: str
    """SHA-256 of the lines, in their order; likewise below."""
    confirmation: str
    settings: str
    """Of the recogniser, the language and the sampling."""
    calibration: str
    seed: int

    def write(self, folder: Path) -> None:
        write_text(folder / FILE, self.model_dump_json(indent=1))


def fingerprint_judge(
    calibration: Calibration,
    settings: ProbeSettings,
    lines: Sequence[ProbeLine],
    confirmation: Sequence[ProbeLine],
    seed: int,
) -> JudgeFingerprint:
    """Equal for equal thresholds, on every machine. The base model's own results are left out."""
    voice = calibration.model_dump(mode="json", exclude={"base_similarity", "base_heard"})
    content = {
        "yardsticks": [each.model_dump(mode="json") for each in _thresholds(calibration)],
        "weights": dict(score.WEIGHTS),
        "lines": _sha256([line.model_dump(mode="json") for line in lines]),
        "confirmation": _sha256([line.model_dump(mode="json") for line in confirmation]),
        "settings": _sha256(settings.model_dump(mode="json")),
        "calibration": _sha256(voice),
        "seed": seed,
    }
    return JudgeFingerprint(fingerprint=_sha256(content), **content)


def _thresholds(calibration: Calibration) -> list[FlagThreshold]:
    own = calibration.own
    least, most = tempo_bounds(own.tempos)
    median_least, median_most = MEDIAN_TEMPO
    error = character_error_threshold(own.character_error_p95)
    omitted = omitted_threshold(own.omitted_shares)
    drift = f"cosine of joined speech, {SIMILARITY_MARGIN:g} below the least"
    rows = (
        (Flag.NO_EOS, "frames / expected frames", FRAME_CAP_FACTOR, "a cap on what a line may cost"),
        (Flag.SILENT, f"share of speech above {MIN_DBFS:g} dBFS below", MIN_SPEECH_SHARE, DEFAULT),
        (Flag.CLIPPED, "share of samples at full scale above", MAX_CLIPPED_SHARE, DEFAULT),
        (Flag.NOISY, "flatness of the vowels above, dB", noise_threshold(own.flatness), FROM_VOICE),
        (Flag.LOOPED, "share of speech that sounds again above", MAX_REPEATED_SHARE, DEFAULT),
        (Flag.LOOPED, "stutter above", MAX_STUTTER, DEFAULT),
        (Flag.TEMPO, "seconds / expected seconds of a line below", least, TEMPO),
        (Flag.TEMPO, "seconds / expected seconds of a line above", most, TEMPO),
        (Flag.TEMPO, "median of seconds / expected seconds below", median_least, TEMPO),
        (Flag.TEMPO, "median of seconds / expected seconds above", median_most, TEMPO),
        (Flag.TEMPO, "pause between words above, s", inner_pause_threshold(own.inner_pauses), FROM_VOICE),
        (Flag.TEMPO, "silence at the end above, s", MAX_TAIL, DEFAULT),
        (Flag.LOOPED, "words inserted / words of the text above", MAX_INSERTED_SHARE, DEFAULT),
        (Flag.LOOPED, "words heard after the end, from", MIN_TRAILING_WORDS, DEFAULT),
        (Flag.GARBLED, "share of the words missing in one place above", omitted, FROM_VOICE),
        (Flag.GARBLED, "character error above", error, f"{FROM_VOICE}, or {DEFAULT}"),
        (Flag.VOICE_DRIFT, drift, calibration.similarity_least, FROM_VOICE),
        (Flag.FLAT, "range of the pitch below, semitones", flat_threshold(own.pitch_ranges), FROM_VOICE),
    )
    return [
        FlagThreshold(flag=flag, measure=measure, threshold=threshold, origin=origin)
        for flag, measure, threshold, origin in rows
    ]


def _sha256(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
