"""Opens a recogniser that transcribes while its caller does other work."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from trainable.speech.asr.pocket_sphinx import samples_of
from trainable.speech.asr.recogniser import NONE, POCKETSPHINX, Recogniser, check_name_and_language, open_recogniser
from trainable.speech.background.child_main import Request
from trainable.speech.background.child_process import child_process


class BackgroundRecogniser(Recogniser, Protocol):
    """A recogniser whose transcripts may be fetched later."""

    def submit(self, waves: Sequence[np.ndarray]) -> Future[list[str]]:
        """What `transcribe` returns or raises, as a future."""
        ...


def open_background_recogniser(name: str, texts: Sequence[str], language: str) -> BackgroundRecogniser | None:
    """As `open_recogniser`; None for `none`, with which no process is started.

    A recogniser that computes on a CPU does so in a child process, shared by all of this process: Pocketsphinx holds
    the interpreter's lock for seconds at a time. It opens there while the caller goes on, so what is wrong with it is
    raised by its first transcription. On a GPU it stays in this process, and has transcribed when `submit` returns.
    """
    check_name_and_language(name, language)
    if name == NONE:
        return None
    if name != POCKETSPHINX:
        from trainable.speech.asr.checkpoint_model import runs_on_gpu

        if runs_on_gpu(name):
            recogniser = open_recogniser(name, texts, language)
            assert recogniser is not None
            return ImmediateRecogniser(recogniser)
    opened = _ChildRecogniser(name, tuple(texts), language)
    opened.submit([])
    return opened


@dataclass(frozen=True)
class ImmediateRecogniser:
    """Transcribes in this process, before `submit` returns."""

    recogniser: Recogniser

    def transcribe(self, waves: Sequence[np.ndarray]) -> list[str]:
        return self.recogniser.transcribe(waves)

    def submit(self, waves: Sequence[np.ndarray]) -> Future[list[str]]:
        future: Future[list[str]] = Future()
        future.set_result(self.transcribe(waves))
        return future


@dataclass(frozen=True)
class _ChildRecogniser:
    name: str
    texts: tuple[str, ...]
    language: str

    def transcribe(self, waves: Sequence[np.ndarray]) -> list[str]:
        return self.submit(waves).result()

    def submit(self, waves: Sequence[np.ndarray]) -> Future[list[str]]:
        return child_process().submit(self._request(waves))

    def _request(self, waves: Sequence[np.ndarray]) -> Request:
        if self.name == POCKETSPHINX:
            return Request(self.name, self.texts, self.language, tuple(samples_of(wave) for wave in waves))
        import torch

        return Request(self.name, self.texts, self.language, tuple(waves), torch.get_num_threads())
