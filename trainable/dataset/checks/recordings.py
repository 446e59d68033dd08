"""Checks of single recordings. Each takes a dataset and returns its findings."""

import math
from collections import Counter, defaultdict

import numpy as np

from trainable.dataset.checks.grouping import Hit, Wording, about_dataset, grouped, line_of
from trainable.dataset.clip import Clip, VoiceDataset
from trainable.dataset.finding import Finding, Severity
from trainable.dataset.formatting import first_few, printable, quote
from trainable.dataset.reference import CLIPPED_SHARE, TELEPHONE_HZ, TEMPO_FACTOR, medians
from trainable.dataset.split import normalise
from trainable.speech.audio import SAMPLE_RATE
from trainable.speech.tempo import letters

SILENT_DBFS = -60.0
QUIET_DBFS = -40.0
"""5 dB above the level below which the probe calls a clip silent: a voice trained on such clips would fail it."""
DC_OFFSET = 0.01
"""Of full scale: -40 dBFS, as loud as a quiet recording."""
LONG_SECONDS = 30.0
SHORT_SECONDS = 0.3
"""Less than four of the codec's frames."""
SHORT_TEMPO_FACTOR = 4.0
"""Factor by which the tempo of a short clip may differ from the median; `TEMPO_FACTOR` for others. The log of the ratio
has a standard deviation of about 0.1 for whole sentences, and of about 0.4 for a cry like "Oh!"."""
SENTENCE_LETTERS = 12
"""A shorter transcript counts as a short clip."""
MIN_TEMPO_CLIPS = 5
TEMPO_DEVIATIONS = 5.0
"""A clip within so many robust standard deviations is accepted, for datasets that vary more than usual."""
DULL_HZ = 8_300.0
"""Speech recorded at 24 kHz or more has energy above it; speech once sampled at 16 kHz has none."""
BANDWIDTH_SECONDS = 1.5
"""Shorter clips may hold no sound with high frequencies."""


def tempo_factor(text: str) -> float:
    """Factor by which the tempo of a clip with this transcript may differ from the median."""
    return TEMPO_FACTOR if letters(text) >= SENTENCE_LETTERS else SHORT_TEMPO_FACTOR


def silent(dataset: VoiceDataset) -> list[Finding]:
    hits = [Hit(clip) for clip in dataset.clips if _is_silent(clip)]
    advice = "record again, or remove the clip together with its transcript"
    return grouped(dataset, "silent", Severity.ERROR, hits, Wording("is silent", "are silent", advice))


def quiet(dataset: VoiceDataset) -> list[Finding]:
    hits = [
        Hit(clip, f"{clip.measures.rms_dbfs:.0f} dBFS")
        for clip in dataset.clips
        if clip.measures.rms_dbfs < QUIET_DBFS and not _is_silent(clip)
    ]
    advice = f"expected {QUIET_DBFS:.0f} dBFS or more, most recordings have -30 to -15; raise the gain"
    return grouped(dataset, "quiet", Severity.WARNING, hits, Wording("is very quiet", "are very quiet", advice))


def clipped(dataset: VoiceDataset) -> list[Finding]:
    hits = [
        Hit(clip, f"{100 * clip.measures.clipped_share:.1f} %")
        for clip in dataset.clips
        if clip.measures.clipped_share > CLIPPED_SHARE
    ]
    advice = (
        "more than 0.1 % of the samples are at full scale, and the model learns the distortion; record at a lower gain"
    )
    return grouped(dataset, "clipped", Severity.WARNING, hits, Wording("is clipped", "are clipped", advice))


def dc_offset(dataset: VoiceDataset) -> list[Finding]:
    hits = [Hit(clip, f"{clip.measures.dc:+.3f}") for clip in dataset.clips if abs(clip.measures.dc) > DC_OFFSET]
    advice = f"expected a mean within ±{DC_OFFSET}; remove it with a high-pass filter at 20 Hz"
    return grouped(dataset, "dc-offset", Severity.WARNING, hits, Wording("has a DC offset", "have a DC offset", advice))


def long(dataset: VoiceDataset) -> list[Finding]:
    hits = [Hit(clip, f"{clip.seconds:.1f} s") for clip in dataset.clips if clip.seconds > LONG_SECONDS]
    advice = (
        f"a clip over {LONG_SECONDS:.0f} s takes much memory, and attention must reach far back; "
        "cut it at its pauses: python -m trainable.dataset split"
    )
    return grouped(dataset, "long", Severity.WARNING, hits, Wording("is long", "are long", advice))


def short(dataset: VoiceDataset) -> list[Finding]:
    hits = [Hit(clip, f"{clip.seconds:.2f} s") for clip in dataset.clips if clip.seconds < SHORT_SECONDS]
    advice = f"a clip under {SHORT_SECONDS} s holds hardly a syllable; check whether it was cut off"
    return grouped(dataset, "short", Severity.WARNING, hits, Wording("is very short", "are very short", advice))


def tempo(dataset: VoiceDataset) -> list[Finding]:
    """Compares characters per second with the median, by the logarithm of the ratio: twice and half differ equally."""
    spoken = [clip for clip in dataset.clips if clip.characters_per_second > 0]
    if len(spoken) < MIN_TEMPO_CLIPS:
        return []
    median = medians(spoken).characters_per_second
    ratios = [math.log(clip.characters_per_second / median) for clip in spoken]
    spread = 1.4826 * float(np.median(np.abs(ratios)))
    hits = [
        Hit(clip, f"{clip.characters_per_second:.1f}")
        for clip, ratio in zip(spoken, ratios, strict=True)
        if abs(ratio) > max(math.log(tempo_factor(clip.text)), TEMPO_DEVIATIONS * spread)
    ]
    advice = (
        f"the median is {median:.1f} characters per second. The transcript may be another clip's, or lack words; "
        "listen, and correct it"
    )
    one, many = "does not fit its transcript's length", "do not fit their transcripts' lengths"
    return grouped(dataset, "tempo", Severity.WARNING, hits, Wording(one, many, advice))


def sample_rate(dataset: VoiceDataset) -> list[Finding]:
    hits = [
        Hit(clip, f"{clip.measures.rate / 1000:g} kHz") for clip in dataset.clips if clip.measures.rate < SAMPLE_RATE
    ]
    advice = (
        f"frequencies above half of that rate are missing, and the voice will sound as dull; record at {SAMPLE_RATE} "
        "Hz or more. Resampling the file does not bring them back"
    )
    one, many = "has a low sample rate", f"have a sample rate below {SAMPLE_RATE / 1000:g} kHz"
    return grouped(dataset, "sample-rate", Severity.WARNING, hits, Wording(one, many, advice))


def bandwidth(dataset: VoiceDataset) -> list[Finding]:
    """Finds clips that were once sent over a telephone, and datasets that were once sampled at 16 kHz."""
    able = [clip for clip in dataset.clips if clip.measures.rate >= SAMPLE_RATE and not _is_silent(clip)]
    judged = [clip for clip in able if clip.seconds >= BANDWIDTH_SECONDS]
    hits = [Hit(clip, _kilohertz(clip)) for clip in judged if clip.measures.bandwidth < TELEPHONE_HZ]
    advice = "it was once sampled or sent at a low rate, as on a telephone; use the original recording"
    one, many = "has no high frequencies", "have no high frequencies"
    findings = grouped(dataset, "bandwidth", Severity.WARNING, hits, Wording(one, many, advice))
    median = float(np.median([clip.measures.bandwidth for clip in judged])) if judged else DULL_HZ
    if len(hits) <= len(judged) / 2 and median < DULL_HZ:
        message = (
            f"half of the clips have nothing above {median / 1000:.1f} kHz, though their sample rate allows "
            f"{SAMPLE_RATE / 2000:g}; they were once sampled at 16 kHz, or compressed, and the voice will sound as "
            "dull. Use the original recordings"
        )
        findings.append(about_dataset(dataset, "bandwidth", Severity.WARNING, message))
    return findings


def converted(dataset: VoiceDataset) -> list[Finding]:
    """A note on clips that are resampled or mixed down; nothing needs to be done."""
    rates = Counter(clip.measures.rate for clip in dataset.clips if clip.measures.rate != SAMPLE_RATE)
    stereo = sum(clip.measures.channels > 1 for clip in dataset.clips)
    parts = [f"{count} at {rate / 1000:g} kHz" for rate, count in sorted(rates.items())]
    parts += [f"{stereo} with several channels"] if stereo else []
    if not parts:
        return []
    message = f"of {len(dataset.clips)} clips {', '.join(parts)}; all are read as {SAMPLE_RATE / 1000:g} kHz mono"
    return [about_dataset(dataset, "converted", Severity.NOTE, message)]


def duplicate_audio(dataset: VoiceDataset) -> list[Finding]:
    """Recordings with equal bytes: an error where their transcripts differ, else a warning."""
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip in dataset.clips:
        groups[clip.measures.sha256].append(clip)
    conflicting, equal = [], []
    for group in groups.values():
        if len(group) > 1:
            (conflicting if len({normalise(clip.text) for clip in group}) > 1 else equal).append(group)
    findings = []
    if conflicting:
        pairs = [" = ".join(f"{line_of(clip)} {quote(clip.text, 30)}" for clip in group[:3]) for group in conflicting]
        message = (
            f"one recording with different transcripts: {first_few(pairs)}; at most one is right, "
            "correct or remove the rest"
        )
        findings.append(_about_groups(dataset, Severity.ERROR, message, conflicting))
    if equal:
        names = [" = ".join(printable(clip.audio.name) for clip in group[:3]) for group in equal]
        copies = sum(len(group) - 1 for group in equal)
        message = (
            f"{copies} clip(s) are copies of others: {first_few(names)}; each copy is trained on as well, "
            "remove the copies"
        )
        findings.append(_about_groups(dataset, Severity.WARNING, message, equal))
    return findings


CHECKS = (silent, quiet, clipped, dc_offset, long, short, tempo, sample_rate, bandwidth, converted, duplicate_audio)


def _is_silent(clip: Clip) -> bool:
    return clip.measures.speech_share == 0 or clip.measures.rms_dbfs < SILENT_DBFS


def _kilohertz(clip: Clip) -> str:
    return f"up to {clip.measures.bandwidth / 1000:.1f} kHz"


def _about_groups(dataset: VoiceDataset, severity: Severity, message: str, groups: list[list[Clip]]) -> Finding:
    """About the dataset, or about the first clip's line where there is one group."""
    finding = about_dataset(dataset, "duplicate-audio", severity, message, groups)
    return finding if len(groups) > 1 else finding.model_copy(update={"where": groups[0][0].where})
