"""Chooses where to cut a long recording, from its speech spans and a function that finds its quietest points. Pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spaces.errors import InputError
from trainable.speech.vad import TimeSpan

REFERENCE_SECONDS = (10.0, 30.0)
"""How long a reference clip should be: the public guide's bounds."""
PADDING = 0.2
"""Seconds that a clip keeps before and after its speech, for breaths and soft endings; half of a shorter pause."""
MAX_INNER_PAUSE = 1.0
"""Seconds. A voice learns the pauses of its clips, so no clip holds speech on both sides of a longer one."""
SENTENCE_PAUSE = 0.5
"""Seconds. Longer pauses mark the end of a sentence: one more clip costs less than such a pause inside one."""
SHORT_CLIP_COST = 100.0
"""Cost of a clip below the least length, in clips: more than any row of pauses that it could be joined across."""
MAX_REFERENCE_SHARE = 0.2
"""Largest share of a recording's speech that the reference may take away from the clips."""
REFERENCE_PAUSE_COST = 4.0
"""Seconds of speech that a second of pause costs a reference, which should be fluent rather than long."""

FindQuietest = Callable[[float, float], float]
"""(from, to) in seconds → the quietest time between them."""


@dataclass(frozen=True)
class ClipLengths:
    """Bounds on the length of clips in seconds, padding included. Raises InputError for bounds that cannot be kept."""

    shortest: float = 2.0
    longest: float = 12.0

    def __post_init__(self) -> None:
        if not 0 < self.shortest < self.longest:
            raise InputError(
                f"clips of {self.shortest:g} to {self.longest:g} s: expected 0 < --min < --max, such as 2 and 12"
            )
        if self.longest < 1:
            raise InputError(f"--max {self.longest:g}: expected at least 1 second, such as 12")


def cut(
    speech: Sequence[TimeSpan], within: TimeSpan, lengths: ClipLengths, find_quietest: FindQuietest
) -> list[TimeSpan]:
    """Cuts a recording into clips that hold all of its speech, are disjoint and at most `longest` long, in order.

    `speech` is ordered, disjoint and lies within `within`. Clips end in the longest pauses. Speech that goes on for
    more than `longest` is cut at its quietest point. A clip is shorter than `shortest` only where joining it to a
    neighbour would include a pause of more than a second, or exceed `longest`.
    """
    parts = [part for each in speech for part in _split_long(each, lengths, find_quietest)]
    clips = _padded(parts, within)
    best: list[tuple[float, int]] = [(0.0, 0)]
    """For the first n parts: the cost of their cheapest clips, and the part at which the last of these begins."""
    for last in range(len(parts)):
        choices = []
        pause_cost = 0.0
        for first in range(last, -1, -1):
            seconds = clips[last].end - clips[first].start
            pause = parts[first + 1].start - parts[first].end if first < last else 0.0
            pause_cost += pause / SENTENCE_PAUSE
            if first < last and (pause > MAX_INNER_PAUSE or seconds > lengths.longest):
                break
            choices.append((best[first][0] + 1 + pause_cost + SHORT_CLIP_COST * (seconds < lengths.shortest), first))
        best.append(min(choices))
    cuts = []
    end = len(parts)
    while end:
        first = best[end][1]
        cuts.append(TimeSpan(clips[first].start, clips[end - 1].end))
        end = first
    return cuts[::-1]


def best_reference(speech: Sequence[TimeSpan], within: TimeSpan) -> TimeSpan | None:
    """The best stretch for a reference: 10–30 s with as much speech and as little pause as possible.

    It begins and ends in pauses long enough for its padding. None when no stretch is long enough, or every one that is
    would take more than a fifth of the speech.
    """
    shortest, longest = REFERENCE_SECONDS
    most = min(longest, MAX_REFERENCE_SHARE * sum(each.seconds for each in speech))
    padded = _padded(speech, within)
    inner = [after.start - before.end for before, after in zip(speech, speech[1:], strict=False)]
    pauses = [math.inf, *inner, math.inf]
    best: tuple[float, TimeSpan] | None = None
    for first in range(len(speech)):
        spoken = 0.0
        if pauses[first] < 2 * PADDING:
            continue
        for last in range(first, len(speech)):
            if last > first and pauses[last] > MAX_INNER_PAUSE:
                break
            stretch = TimeSpan(padded[first].start, padded[last].end)
            if stretch.seconds > most:
                break
            spoken += speech[last].seconds
            value = spoken - REFERENCE_PAUSE_COST * (stretch.seconds - spoken)
            is_candidate = stretch.seconds >= shortest and pauses[last + 1] >= 2 * PADDING
            if is_candidate and (best is None or value > best[0]):
                best = (value, stretch)
    return best[1] if best else None


def _split_long(speech: TimeSpan, lengths: ClipLengths, find_quietest: FindQuietest) -> list[TimeSpan]:
    """Splits one span into spans that fit into a clip each, with padding on both sides."""
    most = lengths.longest - 2 * PADDING
    least = min(lengths.shortest, most)
    pieces = []
    while speech.seconds > most:
        latest = min(speech.start + most, speech.end - least)
        earliest = speech.start + max(least, most * 2 / 3)
        if earliest > latest:
            # Too long for one clip and too short for two of the least length: two that fit, neither of them tiny.
            earliest = max(speech.end - most, speech.start + speech.seconds / 4)
            latest = min(speech.start + most, speech.end - speech.seconds / 4)
            at = min(max(find_quietest(earliest, latest), earliest), latest)
            return [*pieces, TimeSpan(speech.start, at), TimeSpan(at, speech.end)]
        at = min(max(find_quietest(earliest, latest), earliest), latest)
        pieces.append(TimeSpan(speech.start, at))
        speech = TimeSpan(at, speech.end)
    return [*pieces, speech]


def _padded(parts: Sequence[TimeSpan], within: TimeSpan) -> list[TimeSpan]:
    """Every part with its padding; neighbours split a short pause in the middle."""
    if not parts:
        return []
    middles = [(before.end + after.start) / 2 for before, after in zip(parts, parts[1:], strict=False)]
    floors, ceilings = [within.start, *middles], [*middles, within.end]
    return [
        TimeSpan(max(part.start - PADDING, floor), min(part.end + PADDING, ceiling))
        for part, floor, ceiling in zip(parts, floors, ceilings, strict=True)
    ]
