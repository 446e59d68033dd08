"""The pre-training corpus: digit strings read by many voices, encoded once."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from qwen_tts.core.models.modeling_qwen3_tts import mel_spectrogram
from safetensors.torch import load_file, save_file
from torch import Tensor

from demo.corpus import SAMPLE_RATE, EspeakVoice, synthesise, texts
from trainable.files.atomic import atomic_file
from trainable.qwen3_tts.mel_codec import MelCodecModel

WORDS = range(1, 9)
REFERENCES_PER_VOICE = 12
REFERENCE_FRAMES = 160


@dataclass(frozen=True)
class Corpus:
    """The data of pre-training.

    texts: one digit string per utterance; voices: [utterances] int64; codes: [all frames, 16] int16, utterance after
    utterance; ends: [utterances] int64, where each one ends; references: [voices, 12, 160, 128] float32 mels for the
    speaker encoder, 93.75 frames per second.
    """

    texts: tuple[str, ...]
    voices: Tensor
    codes: Tensor
    ends: Tensor
    references: Tensor

    def utterance(self, index: int) -> Tensor:
        """The codes of one utterance: [frames, 16] int64."""
        start = int(self.ends[index - 1]) if index else 0
        return self.codes[start : int(self.ends[index])].long()


def speaker_mel(wave: np.ndarray) -> Tensor:
    """wave: [samples] float32, 24 kHz → [frames, 128] float32, the speaker encoder's mel spectrum."""
    mel = mel_spectrogram(torch.from_numpy(wave)[None], 1024, 128, SAMPLE_RATE, 256, 1024, 0, 12_000)
    return mel[0].T


def encode_corpus(
    codec: MelCodecModel, voices: tuple[EspeakVoice, ...], per_voice: int, seed: int, advance: Callable[[], None]
) -> Corpus:
    """Reads `per_voice` strings of 1 to 8 words in every voice, none of them held out. Calls `advance` after each.

    Raises ValueError if a voice has too few utterances that are long enough for references.
    """
    rng = random.Random(seed)
    strings = texts(rng, WORDS, held_out=False)
    read: list[str] = []
    codes: list[Tensor] = []
    references: list[Tensor] = []
    for voice in voices:
        mels: list[Tensor] = []
        for _ in range(per_voice):
            read.append(next(strings))
            wave = synthesise(read[-1], voice)
            codes.append(codec.quantise(codec.log_mel(torch.from_numpy(wave))).short())
            mel = speaker_mel(wave)
            if len(mel) >= REFERENCE_FRAMES and len(mels) < REFERENCES_PER_VOICE:
                mels.append(mel[:REFERENCE_FRAMES])
            advance()
        if len(mels) < REFERENCES_PER_VOICE:
            raise ValueError(
                f"expected {REFERENCES_PER_VOICE} references per voice, got {len(mels)}; raise per_voice ({per_voice})"
            )
        references.append(torch.stack(mels))
    return Corpus(
        texts=tuple(read),
        voices=torch.arange(len(voices)).repeat_interleave(per_voice),
        codes=torch.cat(codes),
        ends=torch.tensor([len(item) for item in codes]).cumsum(0),
        references=torch.stack(references),
    )


def save_corpus(corpus: Corpus, path: Path) -> None:
    """Writes the corpus as one safetensors file."""
    tensors = {name: getattr(corpus, name) for name in ("voices", "codes", "ends", "references")}
    with atomic_file(path) as part:
        save_file(tensors, part, metadata=None)
        path.with_suffix(".json").write_text(json.dumps(corpus.texts))


def load_corpus(path: Path) -> Corpus:
    """Reads what `save_corpus` wrote."""
    return Corpus(texts=tuple(json.loads(path.with_suffix(".json").read_text())), **load_file(path))
