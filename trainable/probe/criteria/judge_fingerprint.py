"""The yardsticks of one search, fixed before its first trial: what is judged by, and a fingerprint of it all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from spaces.probe_settings import ProbeSettings
from spaces.records.verdict import Flag, ProbeLine
from trainable.files.atomic import write_text
from trainable.probe.criteria import flags, judge, score
from trainable.probe.criteria.calibration import Calibration
from trainable.probe.measures.level import SILENCE_DBFS
from trainable.probe.measures.missing_words import omitted_above
from trainable.probe.measures.noise import noisy_above
from trainable.probe.measures.pauses import TAIL, inner_above
from trainable.probe.measures.prosody import flat_below
from trainable.probe.measures.repeated_words import BABBLED_ON, INSERTED
from trainable.probe.measures.sound_loops import LOOPED
from trainable.probe.measures.stutter import STUTTERED
from trainable.speech.tempo import line_tempo

FILE = "judge.json"
OWN = "the voice's own recordings through the codec and back"
START = "a start value, from made corruptions of synthetic voices"


class FlagThreshold(BaseModel):
    """One threshold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flag: Flag
    measure: str
    threshold: float | None
    """None where nothing is known to compare with: the flag is then unknown, or judged by its other measures."""
    origin: str


class JudgeFingerprint(BaseModel):
    """What every verdict of a search was judged by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: str
    """Of everything below, and of all that was measured of the voice; a verdict carries it as `judge`."""
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


def freeze(
    calibration: Calibration,
    settings: ProbeSettings,
    lines: Sequence[ProbeLine],
    confirmation: Sequence[ProbeLine],
    seed: int,
) -> JudgeFingerprint:
    """Equal for equal yardsticks, on every machine. What the base model is found to be is none of them."""
    voice = calibration.model_dump(mode="json", exclude={"base_similarity", "base_heard"})
    content = {
        "yardsticks": [each.model_dump(mode="json") for each in _yardsticks(calibration)],
        "weights": dict(score.WEIGHTS),
        "lines": _sha256([line.model_dump(mode="json") for line in lines]),
        "confirmation": _sha256([line.model_dump(mode="json") for line in confirmation]),
        "settings": _sha256(settings.model_dump(mode="json")),
        "calibration": _sha256(voice),
        "seed": seed,
    }
    return JudgeFingerprint(fingerprint=_sha256(content), **content)


def _yardsticks(calibration: Calibration) -> list[FlagThreshold]:
    own = calibration.own
    least, most = line_tempo(own.tempos)
    slow, fast = judge.MEDIAN_TEMPO
    known = (
        (Flag.NO_EOS, "frames / expected frames", 3.0, "a cap on what a line may cost"),
        (Flag.SILENT, "level below, dBFS", SILENCE_DBFS, START),
        (Flag.SILENT, "share of speech below", flags.SPEECH_SHARE, START),
        (Flag.CLIPPED, "share of samples at full scale above", flags.CLIPPED_SHARE, START),
        (Flag.NOISY, "flatness of the vowels above, dB", noisy_above(own.flatness), OWN),
        (Flag.LOOPED, "share of speech that sounds again above", LOOPED, START),
        (Flag.LOOPED, "stutter above", STUTTERED, START),
        (Flag.TEMPO, "seconds / expected seconds of a line below", least, f"{START}; the expected by {OWN}"),
        (Flag.TEMPO, "seconds / expected seconds of a line above", most, f"{START}; the expected by {OWN}"),
        (Flag.TEMPO, "median of seconds / expected seconds below", slow, f"{START}; the expected by {OWN}"),
        (Flag.TEMPO, "median of seconds / expected seconds above", fast, f"{START}; the expected by {OWN}"),
        (Flag.TEMPO, "pause between words above, s", inner_above(own.inner_pauses), OWN),
        (Flag.TEMPO, "silence at the end above, s", TAIL, START),
        (Flag.LOOPED, "words inserted / words of the text above", INSERTED, START),
        (Flag.LOOPED, "words heard after the end, from", BABBLED_ON, START),
        (Flag.GARBLED, "share of the words missing in one place above", omitted_above(own.omitted_shares), OWN),
        (Flag.GARBLED, "character error above", flags.garbled_above(own.character_error_p95), f"{OWN}, or {START}"),
        (Flag.VOICE_DRIFT, "cosine of joined speech, 0.05 below the least", calibration.similarity_least, OWN),
        (Flag.FLAT, "range of the pitch below, semitones", flat_below(own.pitch_ranges), OWN),
    )
    return [
        FlagThreshold(flag=flag, measure=name, threshold=value, origin=origin) for flag, name, value, origin in known
    ]


def _sha256(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
