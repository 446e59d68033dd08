"""What a dataset has too little of, as a whole: each check takes a dataset and returns its findings."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np

from spaces.data_settings import DataSettings
from spaces.errors import InputError
from trainable.dataset.checks.grouping import line, named, quoted, whole
from trainable.dataset.checks.guide_table import MOST_CLIPS, PASSES, TABLE, TOO_MANY_PASSES, advise
from trainable.dataset.clip import Clip, VoiceDataset
from trainable.dataset.finding import Finding, Severity
from trainable.dataset.split import LEAST_TEXTS, Role, assign_roles, same_text
from trainable.dataset.user_files import printable
from trainable.speech.tempo import letters

MINUTES = (15.0, 30.0)
"""What the guide aims at for a voice that carries a book."""
SHORT_SECONDS, SHORT_WORDS, SHORT_LETTERS = 1.5, 3, 20
"""An utterance is short by any of time or words; letters bound words where a script writes no spaces."""
LEAST_JUDGED = 5
"""Fewer clips vary too little to be blamed for it."""
SAME_LENGTH = 1.3
"""A tenth of the clips should be longer than this times what a tenth of them is shorter than."""
SAME_LOUDNESS_DB = 1.0
"""The same of loudness: recordings that were made equally loud lie within it."""
LEAST_SPEAKER_CLIPS = 30
"""The smallest dataset of the guide's table."""


def minutes(dataset: VoiceDataset) -> list[Finding]:
    length = dataset.seconds / 60
    if length >= MINUTES[0]:
        return []
    message = (
        f"{length:.1f} minutes in {len(dataset.clips)} clips; the guide aims at {MINUTES[0]:.0f} to {MINUTES[1]:.0f} "
        "for a voice that carries a book. With less, each pass repeats the same few sentences: expect a likeness with "
        "less expression, and over-training to come early. Record more, and sentences of every kind"
    )
    return [_about(dataset, "minutes", Severity.WARNING, message)]


def guide(dataset: VoiceDataset) -> list[Finding]:
    """A note: what the guide's table says of a dataset of this size. An error where nothing is left to train on."""
    try:
        trained = assign_roles(dataset.clips, DataSettings(), seed=1).count(Role.TRAINING)
    except InputError as error:
        return [_about(dataset, "nothing-to-train-on", Severity.ERROR, str(error))]
    advice = advise(trained)
    if advice is None:
        message = (
            f"{trained} clips to train on: the guide's table ends at {TABLE[-1][0]} and does not apply beyond "
            f"about {MOST_CLIPS}, so epochs and learning rate are for the search to find"
        )
        return [_about(dataset, "guide", Severity.NOTE, message)]
    low, high = advice.epochs
    epochs = f"{low} to {high} epochs" if low != high else f"{low} epochs"
    message = (
        f"{trained} clips to train on: the guide would take {epochs} at a learning rate near "
        f"{_scientific(advice.learning_rate)} with rank 64, which is "
        f"{advice.passes[0]} to {advice.passes[1]} passes of a clip in all; "
        f"it aims at {PASSES[0]} to {PASSES[1]}, and above {TOO_MANY_PASSES} a voice is over-trained"
    )
    return [_about(dataset, "guide", Severity.NOTE, message)]


def short_utterances(dataset: VoiceDataset) -> list[Finding]:
    if any(_is_short(clip) for clip in dataset.clips):
        return []
    message = (
        f"no clip is under {SHORT_SECONDS} s or has {SHORT_WORDS} words at most. When to stop is learned from short "
        "utterances, and without them short lines may run on; add some: “Oh!”, “Hmm.”, “Right.”"
    )
    return [_about(dataset, "short-utterances", Severity.WARNING, message)]


def variety(dataset: VoiceDataset) -> list[Finding]:
    if len(dataset.clips) < LEAST_JUDGED:
        return []
    found = []
    short, long = np.percentile([clip.seconds for clip in dataset.clips], [10, 90])
    if long < SAME_LENGTH * short:
        message = (
            f"nearly all clips are between {short:.1f} and {long:.1f} s long; a voice that has heard one length only "
            "is unsure of others. Add shorter and longer ones"
        )
        found.append(_about(dataset, "variety-length", Severity.WARNING, message))
    quiet, loud = np.percentile([clip.measures.rms_dbfs for clip in dataset.clips], [10, 90])
    if loud - quiet < SAME_LOUDNESS_DB:
        message = (
            f"nearly all clips are within {loud - quiet:.1f} dB of one loudness; the guide asks for several. Quiet and "
            "loud speech may have been made equal: use the recordings as they were, if there are any"
        )
        found.append(_about(dataset, "variety-loudness", Severity.WARNING, message))
    return found


def held_out(dataset: VoiceDataset) -> list[Finding]:
    texts = len({same_text(clip.text) or clip.text for clip in dataset.clips})
    if texts >= LEAST_TEXTS or any(clip.held_out for clip in dataset.clips):
        return []
    message = (
        f"{texts} different text(s): of fewer than {LEAST_TEXTS} none is held out, so there is no validation loss to "
        "judge by; the probe still listens"
    )
    return [_about(dataset, "held-out", Severity.NOTE, message)]


def speakers(dataset: VoiceDataset) -> list[Finding]:
    """Of several speakers, each needs clips enough to be learned."""
    if len(dataset.speakers) < 2:
        return []
    counts = Counter((clip.source, clip.speaker) for clip in dataset.clips)
    few = [
        f"{printable(speaker.name or dataset.names[speaker.source])} ({counts[speaker.source, speaker.name]})"
        for speaker in dataset.speakers
        if counts[speaker.source, speaker.name] < LEAST_SPEAKER_CLIPS
    ]
    if not few:
        return []
    message = (
        f"{len(few)} of {len(dataset.speakers)} speakers with fewer than {LEAST_SPEAKER_CLIPS} clips, the guide's "
        f"smallest dataset: {named(few)}; record more of them, or leave them out"
    )
    return [_about(dataset, "speakers", Severity.WARNING, message)]


def leakage(dataset: VoiceDataset) -> list[Finding]:
    """Clips that a source holds out while others with the same text or the same recording are trained on."""
    found = []
    texts = _on_both_sides(dataset, lambda clip: same_text(clip.text) or clip.text)
    if texts:
        repaired = sum(not clip.held_out for group in texts for clip in group)
        message = (
            f"{len(texts)} text(s) are held out and trained on both: {_pairs(texts)}; a validation loss would be that "
            f"of known sentences. The split here keeps all clips of a text out, {repaired} more than the folders do; "
            "remove them from one side to decide it yourself"
        )
        found.append(_about(dataset, "leakage", Severity.WARNING, message, texts))
    audio = [
        group
        for group in _on_both_sides(dataset, lambda clip: clip.measures.sha256)
        if len({same_text(clip.text) or clip.text for clip in group}) > 1
    ]
    if audio:
        message = (
            f"{len(audio)} recording(s) are held out and trained on both, with different transcripts: {_pairs(audio)}; "
            "remove them from one side"
        )
        found.append(_about(dataset, "leakage", Severity.ERROR, message, audio))
    return found


CHECKS = (minutes, guide, short_utterances, variety, held_out, speakers, leakage)


def _is_short(clip: Clip) -> bool:
    few = 0 < len(clip.text.split()) <= SHORT_WORDS and letters(clip.text) <= SHORT_LETTERS
    return clip.seconds < SHORT_SECONDS or few


def _on_both_sides(dataset: VoiceDataset, key) -> list[list[Clip]]:
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip in dataset.clips:
        groups[key(clip)].append(clip)
    return [group for group in groups.values() if len({clip.held_out for clip in group}) == 2]


def _pairs(groups: list[list[Clip]]) -> str:
    """Of each group one clip that is held out and one that is trained on."""
    return named(
        [
            " and ".join(next(line(clip) for clip in group if clip.held_out is side) for side in (True, False))
            + f" {quoted(group[0].text, 30)}"
            for group in groups
        ]
    )


def _scientific(rate: float) -> str:
    digits, power = f"{rate:.1e}".split("e")
    return f"{digits.removesuffix('.0')}e{int(power)}"


def _about(
    dataset: VoiceDataset, check: str, severity: Severity, message: str, groups: list[list[Clip]] | None = None
) -> Finding:
    paths = tuple(printable(clip.audio) for group in groups or [] for clip in group)
    return Finding(severity=severity, check=check, where=whole(dataset), message=message, clips=paths)
