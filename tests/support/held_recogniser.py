"""A recogniser whose transcripts a test releases, for probes of the toy family."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np
import pytest

from tests.support.toy_family import SECONDS_PER_LETTER
from tests.support.toy_voice import LINES
from trainable.speech.audio import SAMPLE_RATE


def frames(text: str) -> int:
    return round(sum(character.isalnum() for character in text) * SECONDS_PER_LETTER * 12.5)


TEXT_BY_FRAMES = {frames(line): line for line in LINES}
"""The toy murmurs each line at its length, by which the recogniser knows it, or another of its length."""


class HeldRecogniser:
    """A recogniser whose transcripts come when the test releases them."""

    def __init__(self) -> None:
        self.is_held = True
        self.pending: list[tuple[Future, list[str]]] = []

    def submit(self, waves: Sequence[np.ndarray]) -> Future[list[str]]:
        words = [TEXT_BY_FRAMES.get(round(12.5 * wave.size / SAMPLE_RATE), "") for wave in waves]
        self.pending.append((Future(), words))
        future = self.pending[-1][0]
        if not self.is_held:
            self.release()
        return future

    def release(self) -> None:
        for future, words in self.pending:
            future.set_result(words)
        self.pending.clear()


def hear_with(recogniser: HeldRecogniser, patch: pytest.MonkeyPatch) -> HeldRecogniser:
    """The network that scores quality takes most of a probe's time, and has nothing to do with words."""
    patch.setattr("trainable.probe.session.listener.open_background_recogniser", lambda *_: recogniser)
    patch.setattr("trainable.probe.session.listener.overall_qualities", lambda waves: [3.0] * len(waves))
    return recogniser
