"""Where to cut a long recording. Pure: it sees where speech is, and asks how quiet it is between two times."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spaces.errors import InputError
from trainable.speech.vad import TimeSpan

REFERENCE_SECONDS = (10.0, 30.0)
"""How long a reference clip should be: the public guide's bounds."""
ROOM = 0.2
"""Seconds that a clip keeps before and after its speech, for breaths and soft endings; half of a shorter pause."""
LONGEST_INNER_PAUSE = 1.0
"""Seconds. A voice learns the pauses of its clips, so no clip holds speech on both sides of a longer one."""
WELCOME_PAUSE = 0.5
"""Seconds. Longer pauses are where a reader ends a sentence: a clip more is better than such a pause inside one."""
TOO_SHORT = 100.0
"""What a clip below the least length costs, in clips: more than any row of pauses that it could be joined across."""
REFERENCE_SHARE = 0.2
"""Most of a recording's speech that the reference may take away from the clips."""
PAUSE_IN_REFERENCE = 4.0
"""Seconds of speech that a second of pause costs a reference. It is to be fluent rather than long."""

Quiet = Callable[[float, float], float]
"""(from, to) in seconds → the quietest time between them."""


@dataclass(frozen=True)
class ClipLengths:
    """Seconds that clips may last, their room included. Raises InputError for bounds that no clip can keep."""

    shortest: float = 2.0
    longest: float = 12.0

    def __post_init__(self) -> None:
        if not 0 < self.shortest < self.longest:
            raise InputError(
                f"clips of {self.shortest:g} to {self.longest:g} s: expected 0 < --min < --max, such as 2 and 12"
            )
        if self.longest < 1:
            raise InputError(f"--max {self.longest:g}: expected at least 1 second, such as 12")


def cut(speech: Sequence[TimeSpan], within: TimeSpan, lengths: ClipLengths, quiet: Quiet) -> list[TimeSpan]:
    """Clips in order, disjoint, within bounds, that hold all of the speech and are at most `longest` long.

    `speech` is ordered, disjoint and lies within `within`. Clips end in pauses, the longest there are, except where
    speech goes on for more than `longest`: it is cut at its quietest point. A clip is shorter than `shortest` only
    where joining it would take a pause of more than a second, or more than `longest`.
    """
    parts = [part for each in speech for part in _halved(each, lengths, quiet)]
    clips = _roomy(parts, within)
    best: list[tuple[float, int]] = [(0.0, 0)]
    """For the first n parts: what their cheapest clips cost, and where the last of these begins."""
    for last in range(len(parts)):
        choices = []
        inner = 0.0
        for first in range(last, -1, -1):
            seconds = clips[last].end - clips[first].start
            pause = parts[first + 1].start - parts[first].end if first < last else 0.0
            inner += pause / WELCOME_PAUSE
            if first < last and (pause > LONGEST_INNER_PAUSE or seconds > lengths.longest):
                break
            choices.append((best[first][0] + 1 + inner + TOO_SHORT * (seconds < lengths.shortest), first))
        best.append(min(choices))
    cuts = []
    end = len(parts)
    while end:
        first = best[end][1]
        cuts.append(TimeSpan(clips[first].start, clips[end - 1].end))
        end = first
    return cuts[::-1]


def best_reference(speech: Sequence[TimeSpan], within: TimeSpan) -> TimeSpan | None:
    """The stretch that makes the best reference: 10–30 s, with as much speech and as little pause as there is.

    It begins and ends in pauses that leave it its room. None where no stretch is as long, or only one that would take
    more than a fifth of the speech.
    """
    shortest, longest = REFERENCE_SECONDS
    most = min(longest, REFERENCE_SHARE * sum(each.seconds for each in speech))
    roomy = _roomy(speech, within)
    inner = [after.start - before.end for before, after in zip(speech, speech[1:], strict=False)]
    pauses = [math.inf, *inner, math.inf]
    best: tuple[float, TimeSpan] | None = None
    for first in range(len(speech)):
        spoken = 0.0
        if pauses[first] < 2 * ROOM:
            continue
        for last in range(first, len(speech)):
            if last > first and pauses[last] > LONGEST_INNER_PAUSE:
                break
            stretch = TimeSpan(roomy[first].start, roomy[last].end)
            if stretch.seconds > most:
                break
            spoken += speech[last].seconds
            worth = spoken - PAUSE_IN_REFERENCE * (stretch.seconds - spoken)
            calm = stretch.seconds >= shortest and pauses[last + 1] >= 2 * ROOM
            if calm and (best is None or worth > best[0]):
                best = (worth, stretch)
    return best[1] if best else None


def _halved(speech: TimeSpan, lengths: ClipLengths, quiet: Quiet) -> list[TimeSpan]:
    """One stretch as stretches that fit into a clip each, with room on both sides."""
    most = lengths.longest - 2 * ROOM
    least = min(lengths.shortest, most)
    pieces = []
    while speech.seconds > most:
        latest = min(speech.start + most, speech.end - least)
        earliest = speech.start + max(least, most * 2 / 3)
        if earliest > latest:
            # Too long for one clip and too short for two of the least length: two that fit, neither of them a sliver.
            earliest = max(speech.end - most, speech.start + speech.seconds / 4)
            latest = min(speech.start + most, speech.end - speech.seconds / 4)
            at = min(max(quiet(earliest, latest), earliest), latest)
            return [*pieces, TimeSpan(speech.start, at), TimeSpan(at, speech.end)]
        at = min(max(quiet(earliest, latest), earliest), latest)
        pieces.append(TimeSpan(speech.start, at))
        speech = TimeSpan(at, speech.end)
    return [*pieces, speech]


def _roomy(parts: Sequence[TimeSpan], within: TimeSpan) -> list[TimeSpan]:
    """Every part with its room; neighbours share a short pause at its middle."""
    if not parts:
        return []
    middles = [(before.end + after.start) / 2 for before, after in zip(parts, parts[1:], strict=False)]
    floors, ceilings = [within.start, *middles], [*middles, within.end]
    return [
        TimeSpan(max(part.start - ROOM, floor), min(part.end + ROOM, ceiling))
        for part, floor, ceiling in zip(parts, floors, ceilings, strict=True)
    ]
