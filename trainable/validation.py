"""The loss on clips that nobody trains on."""

from __future__ import annotations

from collections.abc import Sequence

from spaces.trial import Losses
from trainable.curve import ClipRow, mean_of
from trainable.family import Pack


def validate(pack: Pack, seats: Sequence[int]) -> dict[int, Losses]:
    """Each seat's mean losses over all clips that the roster holds out, each clip counting the same. At least one of
    them is held out.

    As many clips go into a pass as in training, and neighbours in length together, so that little of it is padding.
    """
    if not seats:
        return {}
    clips = sorted(pack.roster.held_out, key=lambda clip: pack.roster.entries[clip].seconds)
    rows: dict[int, list[ClipRow]] = {seat: [] for seat in seats}
    for start in range(0, len(clips), pack.batch):
        for seat, part in pack.validate(seats, clips[start : start + pack.batch]).items():
            rows[seat].extend(part)
    return {seat: mean_of(rows[seat]) for seat in seats}
