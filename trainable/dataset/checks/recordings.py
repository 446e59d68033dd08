"""What is wrong with single recordings: each check takes a dataset and returns its findings."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np

from trainable.dataset.checks.grouping import Hit, grouped, line, named, quoted, whole
from trainable.dataset.clip import Clip, VoiceDataset
from trainable.dataset.finding import Finding, Severity
from trainable.dataset.reference import CLIPPED_SHARE, TELEPHONE_HZ, TEMPO_FACTOR, characters_per_second, typical
from trainable.dataset.split import same_text
from trainable.dataset.user_files import printable
from trainable.speech.audio import SAMPLE_RATE
from trainable.speech.tempo import letters

SILENT_DBFS = -60.0
QUIET_DBFS = -40.0
"""5 dB above the level under which the probe calls a clip silent: a voice learned from such clips would fail it."""
DC_OFFSET = 0.01
"""Of full scale: -40 dBFS, as loud as a quiet recording."""
LONG_SECONDS = 30.0
SHORT_SECONDS = 0.3
"""Under four of the codec's frames."""
SHORT_TEMPO_FACTOR = 4.0
"""How far the tempo of a short clip may be from the median; of others `TEMPO_FACTOR`. The log of the ratio has a
standard deviation near 0.1 for whole sentences, and near 0.4 for a cry like "Oh!"."""
SENTENCE_LETTERS = 12
LEAST_TEMPO_CLIPS = 5
TEMPO_DEVIATIONS = 5.0
"""A dataset that varies more than usual is allowed so many robust standard deviations."""
DULL_HZ = 8_300.0
"""Speech recorded at 24 kHz or more reaches past it; what was once at 16 kHz does not."""
BANDWIDTH_SECONDS = 1.5
"""Shorter clips may lack the sounds that reach high."""


def silent(dataset: VoiceDataset) -> list[Finding]:
    hits = [Hit(clip) for clip in dataset.clips if _is_silent(clip)]
    advice = "record again, or remove the clip together with its transcript"
    return grouped(dataset, "silent", Severity.ERROR, hits, "is silent", "are silent", advice)


def quiet(dataset: VoiceDataset) -> list[Finding]:
    hits = [
        Hit(clip, f"{clip.measures.rms_dbfs:.0f} dBFS")
        for clip in dataset.clips
        if clip.measures.rms_dbfs < QUIET_DBFS and not _is_silent(clip)
    ]
    advice = f"expected {QUIET_DBFS:.0f} dBFS or more, most recordings have -30 to -15; raise the gain"
    return grouped(dataset, "quiet", Severity.WARNING, hits, "is very quiet", "are very quiet", advice)


def clipped(dataset: VoiceDataset) -> list[Finding]:
    hits = [
        Hit(clip, f"{100 * clip.measures.clipped_share:.1f} %")
        for clip in dataset.clips
        if clip.measures.clipped_share > CLIPPED_SHARE
    ]
    advice = "more than 0.1 % of the samples are at full scale, which is learned as distortion; record at a lower gain"
    return grouped(dataset, "clipped", Severity.WARNING, hits, "is clipped", "are clipped", advice)


def dc_offset(dataset: VoiceDataset) -> list[Finding]:
    hits = [Hit(clip, f"{clip.measures.dc:+.3f}") for clip in dataset.clips if abs(clip.measures.dc) > DC_OFFSET]
    advice = f"expected a mean within ±{DC_OFFSET}; remove it with a high-pass filter at 20 Hz"
    return grouped(dataset, "dc-offset", Severity.WARNING, hits, "has a DC offset", "have a DC offset", advice)


def long(dataset: VoiceDataset) -> list[Finding]:
    hits = [Hit(clip, f"{clip.seconds:.1f} s") for clip in dataset.clips if clip.seconds > LONG_SECONDS]
    advice = (
        f"over {LONG_SECONDS:.0f} s a clip takes much memory, and attention has far to reach; "
        "cut it at its pauses: python -m trainable.dataset split"
    )
    return grouped(dataset, "long", Severity.WARNING, hits, "is long", "are long", advice)


def short(dataset: VoiceDataset) -> list[Finding]:
    hits = [Hit(clip, f"{clip.seconds:.2f} s") for clip in dataset.clips if clip.seconds < SHORT_SECONDS]
    advice = f"under {SHORT_SECONDS} s there is hardly a syllable to learn; see whether it was cut off"
    return grouped(dataset, "short", Severity.WARNING, hits, "is very short", "are very short", advice)


def tempo(dataset: VoiceDataset) -> list[Finding]:
    """Characters per second against the median; in logarithms, so that twice and half are as far."""
    spoken = [clip for clip in dataset.clips if characters_per_second(clip) > 0]
    if len(spoken) < LEAST_TEMPO_CLIPS:
        return []
    middle = typical(spoken).characters_per_second
    ratios = [math.log(characters_per_second(clip) / middle) for clip in spoken]
    spread = 1.4826 * float(np.median(np.abs(ratios)))
    hits = []
    for clip, ratio in zip(spoken, ratios, strict=True):
        factor = TEMPO_FACTOR if letters(clip.text) >= SENTENCE_LETTERS else SHORT_TEMPO_FACTOR
        if abs(ratio) > max(math.log(factor), TEMPO_DEVIATIONS * spread):
            hits.append(Hit(clip, f"{characters_per_second(clip):.1f}"))
    advice = (
        f"the median is {middle:.1f} characters per second. The transcript may be another clip's, or lack words; "
        "listen, and correct it"
    )
    one, many = "does not fit its transcript's length", "do not fit their transcripts' lengths"
    return grouped(dataset, "tempo", Severity.WARNING, hits, one, many, advice)


def sample_rate(dataset: VoiceDataset) -> list[Finding]:
    hits = [
        Hit(clip, f"{clip.measures.rate / 1000:g} kHz") for clip in dataset.clips if clip.measures.rate < SAMPLE_RATE
    ]
    advice = (
        f"what lies above half of that rate is missing, and the voice will sound as dull; record at {SAMPLE_RATE} Hz "
        "or more. A higher rate in the file's header does not bring it back"
    )
    return grouped(
        dataset,
        "sample-rate",
        Severity.WARNING,
        hits,
        "has a low sample rate",
        f"have a rate below {SAMPLE_RATE / 1000:g} kHz",
        advice,
    )


def bandwidth(dataset: VoiceDataset) -> list[Finding]:
    """Clips like a telephone's, or a whole dataset that was once at 16 kHz."""
    able = [clip for clip in dataset.clips if clip.measures.rate >= SAMPLE_RATE and not _is_silent(clip)]
    judged = [clip for clip in able if clip.seconds >= BANDWIDTH_SECONDS]
    hits = [Hit(clip, _kilohertz(clip)) for clip in judged if clip.measures.bandwidth < TELEPHONE_HZ]
    advice = "it was once recorded or sent at a low rate, as on a telephone; use the original recording"
    found = grouped(dataset, "bandwidth", Severity.WARNING, hits, "holds no high sounds", "hold no high sounds", advice)
    middle = float(np.median([clip.measures.bandwidth for clip in judged])) if judged else DULL_HZ
    if len(hits) <= len(judged) / 2 and middle < DULL_HZ:
        message = (
            f"half of the clips hold nothing above {middle / 1000:.1f} kHz, though their rate allows "
            f"{SAMPLE_RATE / 2000:g}; they were once at 16 kHz, or compressed, and the voice will sound as dull. "
            "Use the original recordings"
        )
        found.append(Finding(severity=Severity.WARNING, check="bandwidth", where=whole(dataset), message=message))
    return found


def converted(dataset: VoiceDataset) -> list[Finding]:
    """A note on what is resampled and mixed down: nothing to do about it."""
    rates = Counter(clip.measures.rate for clip in dataset.clips if clip.measures.rate != SAMPLE_RATE)
    stereo = sum(clip.measures.channels > 1 for clip in dataset.clips)
    parts = [f"{count} at {rate / 1000:g} kHz" for rate, count in sorted(rates.items())]
    parts += [f"{stereo} with several channels"] if stereo else []
    if not parts:
        return []
    message = f"of {len(dataset.clips)} clips {', '.join(parts)}; all are read as {SAMPLE_RATE / 1000:g} kHz mono"
    return [Finding(severity=Severity.NOTE, check="converted", where=whole(dataset), message=message)]


def duplicate_audio(dataset: VoiceDataset) -> list[Finding]:
    """Equal bytes: an error where they are said to be different words."""
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip in dataset.clips:
        groups[clip.measures.sha256].append(clip)
    repeated = [group for group in groups.values() if len(group) > 1]
    torn, equal = [], []
    for group in repeated:
        (torn if len({same_text(clip.text) for clip in group}) > 1 else equal).append(group)
    found = []
    if torn:
        lists = named([" = ".join(f"{line(clip)} {quoted(clip.text, 30)}" for clip in group[:3]) for group in torn])
        message = f"one recording with different transcripts: {lists}; at most one is right, correct or remove the rest"
        found.append(_of_groups(dataset, Severity.ERROR, message, torn))
    if equal:
        lists = named([" = ".join(printable(clip.audio.name) for clip in group[:3]) for group in equal])
        copies = sum(len(group) - 1 for group in equal)
        message = f"{copies} clip(s) are copies of others: {lists}; each is trained on as often, remove the copies"
        found.append(_of_groups(dataset, Severity.WARNING, message, equal))
    return found


CHECKS = (silent, quiet, clipped, dc_offset, long, short, tempo, sample_rate, bandwidth, converted, duplicate_audio)


def _is_silent(clip: Clip) -> bool:
    return clip.measures.speech_share == 0 or clip.measures.rms_dbfs < SILENT_DBFS


def _kilohertz(clip: Clip) -> str:
    return f"up to {clip.measures.bandwidth / 1000:.1f} kHz"


def _of_groups(dataset: VoiceDataset, severity: Severity, message: str, groups: list[list[Clip]]) -> Finding:
    paths = tuple(printable(clip.audio) for group in groups for clip in group)
    where = groups[0][0].where if len(groups) == 1 else whole(dataset)
    return Finding(severity=severity, check="duplicate-audio", where=where, message=message, clips=paths)
