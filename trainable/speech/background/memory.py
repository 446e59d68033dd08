"""The GPU memory that a recogniser takes: from its files, or from its name before they are here. Loads no weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainable.speech.asr.ctc import BATCH_ON_GPU, is_ctc
from trainable.speech.asr.installed import RecogniserCheckpoint, checkpoint_here
from trainable.speech.asr.model_config import read_config
from trainable.speech.asr.recogniser import NONE, POCKETSPHINX
from trainable.speech.asr.whisper import is_whisper
from trainable.speech.recogniser_choice.choice import recogniser_bytes

FLOAT16, FLOAT32 = 2, 4
"""Bytes per parameter, as a Whisper and a CTC checkpoint are loaded onto a GPU."""
FILE_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
"""Per parameter, by the type that a config.json names; without one the files are in float32."""
POSITIONS, ACTIVATIONS, TOKENS = 1500, 16, 448
"""Of a Whisper: encoder positions of 30 s; numbers per position and unit of width that an encoder layer holds at once
(its MLP of four times the width before and after GELU, attention and residual); the longest transcript."""
VOCABULARY = 51_866
CTC_BYTES_PER_CLIP = 2 * 512 * 96_000 * FLOAT32
"""Input and output of wav2vec 2.0's second convolution for 30 s at 16 kHz: 512 channels, a fifth of the samples."""


@dataclass(frozen=True)
class WhisperSize:
    """Of Whisper's published sizes, in its paper and in `openai/whisper`."""

    parameters: float
    decoder_layers: int
    width: int

    @property
    def clip_bytes(self) -> float:
        """Working memory for one clip: keys and values of the decoder's cross-attention, an encoder layer, and the
        scores of every token in float32."""
        cross = 2 * self.decoder_layers * POSITIONS * self.width * FLOAT16
        return cross + ACTIVATIONS * POSITIONS * self.width * FLOAT16 + TOKENS * VOCABULARY * FLOAT32


WHISPER = "whisper"
WHISPERS = {
    "tiny": WhisperSize(39e6, 4, 384),
    "base": WhisperSize(74e6, 6, 512),
    "small": WhisperSize(244e6, 12, 768),
    "medium": WhisperSize(769e6, 24, 1024),
    "turbo": WhisperSize(809e6, 4, 1280),
    "large": WhisperSize(1550e6, 32, 1280),
}


def gpu_bytes(name: str) -> float:
    """Bytes of weights and working memory of this recogniser on a GPU; 0 for one that runs on a CPU alone.

    A Whisper needs the working memory of one clip. Its batches take what a training pass leaves free, because the two
    never run at once, and are halved where that is too little. A recogniser of unknown size counts as a large Whisper.
    """
    if name in (NONE, POCKETSPHINX):
        return 0.0
    if here := checkpoint_here(name):
        return _bytes_of_files(here, read_config(str(here.folder)))
    known = recogniser_bytes(name)
    if known is not None and WHISPER not in name.lower():
        return known + BATCH_ON_GPU * CTC_BYTES_PER_CLIP
    # In the order of the table: large-v3-turbo is a turbo.
    size = next((size for word, size in WHISPERS.items() if word in name.lower()), WHISPERS["large"])
    return FLOAT16 * size.parameters + size.clip_bytes


def _bytes_of_files(checkpoint: RecogniserCheckpoint, config: Mapping[str, Any]) -> float:
    parameters = checkpoint.bytes / FILE_BYTES.get(config.get("torch_dtype") or config.get("dtype") or "", FLOAT32)
    if is_whisper(config):
        size = WhisperSize(parameters, config["decoder_layers"], config["d_model"])
        return FLOAT16 * parameters + size.clip_bytes
    if is_ctc(config):
        return FLOAT32 * parameters + BATCH_ON_GPU * CTC_BYTES_PER_CLIP
    # CTranslate2 transcribes clip by clip, its files are in float16, and its config tells no sizes.
    return checkpoint.bytes + WHISPERS["large"].clip_bytes
