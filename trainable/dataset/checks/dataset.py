"""Checks of a dataset as a whole: size, variety, split. Each takes a dataset and returns its findings."""

from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np

from spaces.data_settings import DataSettings
from spaces.errors import InputError
from trainable.dataset.checks.grouping import about_dataset, line_of
from trainable.dataset.checks.guide_table import MAX_CLIPS, PASSES, TABLE, TOO_MANY_PASSES, advise
from trainable.dataset.clip import Clip, VoiceDataset
from trainable.dataset.finding import Finding, Severity
from trainable.dataset.formatting import first_few, printable, quote
from trainable.dataset.split import MIN_TEXTS, Role, assign_roles, text_key
from trainable.speech.tempo import letters

MINUTES = (15.0, 30.0)
"""The guide's range for a voice that narrates a book."""
SHORT_SECONDS, SHORT_WORDS, SHORT_LETTERS = 1.5, 3, 20
"""An utterance is short by its time or its words; letters bound the words of scripts without spaces."""
MIN_VARIETY_CLIPS = 5
"""Fewer clips cannot be expected to vary."""
SAME_LENGTH = 1.3
"""The 90th percentile of clip lengths should be at least this multiple of the 10th."""
SAME_LOUDNESS_DB = 1.0
"""Smallest distance between the 10th and 90th percentile of loudness; levelled recordings lie within it."""
MIN_SPEAKER_CLIPS = 30
"""The smallest dataset of the guide's table."""


def minutes(dataset: VoiceDataset) -> list[Finding]:
    length = dataset.seconds / 60
    if length >= MINUTES[0]:
        return []
    message = (
        f"{length:.1f} minutes in {len(dataset.clips)} clips; the guide aims at {MINUTES[0]:.0f} to {MINUTES[1]:.0f} "
        "for a voice that narrates a book. With less, each pass repeats the same few sentences: expect less expression "
        "and earlier over-training. Record more, and sentences of every kind"
    )
    return [about_dataset(dataset, "minutes", Severity.WARNING, message)]


def guide(dataset: VoiceDataset) -> list[Finding]:
    """A note with the guide's advice for this number of clips; an error where no clip is left to train on."""
    try:
        trained = assign_roles(dataset.clips, DataSettings(), seed=1).count(Role.TRAINING)
    except InputError as error:
        return [about_dataset(dataset, "nothing-to-train-on", Severity.ERROR, str(error))]
    advice = advise(trained)
    if advice is None:
        message = (
            f"{trained} clips to train on: the guide's table ends at {TABLE[-1][0]} and does not apply beyond "
            f"about {MAX_CLIPS}, so the search must find epochs and learning rate"
        )
        return [about_dataset(dataset, "guide", Severity.NOTE, message)]
    low, high = advice.epochs
    epochs = f"{low} to {high} epochs" if low != high else f"{low} epochs"
    message = (
        f"{trained} clips to train on: the guide would take {epochs} at a learning rate near "
        f"{_scientific(advice.learning_rate)} with rank 64, which is "
        f"{advice.passes[0]} to {advice.passes[1]} passes of a clip in all; "
        f"it aims at {PASSES[0]} to {PASSES[1]}, and above {TOO_MANY_PASSES} a voice is over-trained"
    )
    return [about_dataset(dataset, "guide", Severity.NOTE, message)]


def short_utterances(dataset: VoiceDataset) -> list[Finding]:
    if any(_is_short(clip) for clip in dataset.clips):
        return []
    message = (
        f"no clip is under {SHORT_SECONDS} s or has {SHORT_WORDS} words at most. Short utterances teach the model when "
        "to stop; without them short lines may run on. Add some: “Oh!”, “Hmm.”, “Right.”"
    )
    return [about_dataset(dataset, "short-utterances", Severity.WARNING, message)]


def variety(dataset: VoiceDataset) -> list[Finding]:
    if len(dataset.clips) < MIN_VARIETY_CLIPS:
        return []
    found = []
    short, long = np.percentile([clip.seconds for clip in dataset.clips], [10, 90])
    if long < SAME_LENGTH * short:
        message = (
            f"nearly all clips are between {short:.1f} and {long:.1f} s long; trained on one length only, a voice is "
            "unstable at others. Add shorter and longer clips"
        )
        found.append(about_dataset(dataset, "variety-length", Severity.WARNING, message))
    quiet, loud = np.percentile([clip.measures.rms_dbfs for clip in dataset.clips], [10, 90])
    if loud - quiet < SAME_LOUDNESS_DB:
        message = (
            f"nearly all clips are within {loud - quiet:.1f} dB of one loudness; the guide asks for variety. They may "
            "have been levelled: use the original recordings, if there are any"
        )
        found.append(about_dataset(dataset, "variety-loudness", Severity.WARNING, message))
    return found


def held_out(dataset: VoiceDataset) -> list[Finding]:
    texts = len({text_key(clip.text) for clip in dataset.clips})
    if texts >= MIN_TEXTS or any(clip.held_out for clip in dataset.clips):
        return []
    message = (
        f"{texts} different text(s): with fewer than {MIN_TEXTS} none is held out, so there is no validation "
        "loss; the probe still judges each adapter"
    )
    return [about_dataset(dataset, "held-out", Severity.NOTE, message)]


def speakers(dataset: VoiceDataset) -> list[Finding]:
    """Speakers with too few clips, in a dataset of several speakers."""
    if len(dataset.speakers) < 2:
        return []
    counts = Counter((clip.source, clip.speaker) for clip in dataset.clips)
    few = [
        f"{printable(speaker.name or dataset.names[speaker.source])} ({counts[speaker.source, speaker.name]})"
        for speaker in dataset.speakers
        if counts[speaker.source, speaker.name] < MIN_SPEAKER_CLIPS
    ]
    if not few:
        return []
    message = (
        f"{len(few)} of {len(dataset.speakers)} speakers with fewer than {MIN_SPEAKER_CLIPS} clips, the guide's "
        f"smallest dataset: {first_few(few)}; record more of them, or leave them out"
    )
    return [about_dataset(dataset, "speakers", Severity.WARNING, message)]


def leakage(dataset: VoiceDataset) -> list[Finding]:
    """Held-out clips that share their text or their recording with a training clip."""
    found = []
    texts = _on_both_sides(dataset, lambda clip: text_key(clip.text))
    if texts:
        repaired = sum(not clip.held_out for group in texts for clip in group)
        message = (
            f"{len(texts)} text(s) are both held out and trained on: {_pairs(texts)}; the validation loss would be "
            f"that of known sentences. The search holds out all clips of such a text, {repaired} more than the folders "
            "do; remove them from one side to decide it yourself"
        )
        found.append(about_dataset(dataset, "leakage", Severity.WARNING, message, texts))
    audio = [
        group
        for group in _on_both_sides(dataset, lambda clip: clip.measures.sha256)
        if len({text_key(clip.text) for clip in group}) > 1
    ]
    if audio:
        message = (
            f"{len(audio)} recording(s) are both held out and trained on, with different transcripts: {_pairs(audio)}; "
            "remove them from one side"
        )
        found.append(about_dataset(dataset, "leakage", Severity.ERROR, message, audio))
    return found


CHECKS = (minutes, guide, short_utterances, variety, held_out, speakers, leakage)


def _is_short(clip: Clip) -> bool:
    few = 0 < len(clip.text.split()) <= SHORT_WORDS and letters(clip.text) <= SHORT_LETTERS
    return clip.seconds < SHORT_SECONDS or few


def _on_both_sides(dataset: VoiceDataset, key: Callable[[Clip], str]) -> list[list[Clip]]:
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip in dataset.clips:
        groups[key(clip)].append(clip)
    return [group for group in groups.values() if len({clip.held_out for clip in group}) == 2]


def _pairs(groups: list[list[Clip]]) -> str:
    """One held-out clip and one training clip of each group."""
    return first_few(
        [
            " and ".join(next(line_of(clip) for clip in group if clip.held_out is side) for side in (True, False))
            + f" {quote(group[0].text, 30)}"
            for group in groups
        ]
    )


def _scientific(rate: float) -> str:
    digits, power = f"{rate:.1e}".split("e")
    return f"{digits.removesuffix('.0')}e{int(power)}"
