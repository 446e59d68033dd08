"""Encodes audio with a checkpoint's codec alone; the talker is not loaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from qwen_tts import Qwen3TTSTokenizer

from spaces.errors import InputError
from trainable.dataset.encoding_plan import EncodingItem
from trainable.qwen3_tts import mel_codec
from trainable.qwen3_tts.checkpoint.size import CODEBOOKS
from trainable.speech.audio import SAMPLE_RATE


def encoding_device() -> torch.device:
    """The device on which `load_base` puts a model."""
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


class Codec:
    """Encodes items one by one: in a padded batch the codec gives other last frames.

    It runs in float32 on a GPU too, as in the official preparation script: residuals rounded to bfloat16 match other
    entries of the later codebooks. A base model loaded to speak has its codec in the talker's precision.
    """

    def __init__(self, checkpoint: Path, device: torch.device) -> None:
        mel_codec.register()
        self._tokenizer = Qwen3TTSTokenizer.from_pretrained(
            str(checkpoint / "speech_tokenizer"), device_map=device, dtype=torch.float32
        )
        self._tokenizer.model.requires_grad_(False)
        self._tokenizer.model.eval()

    def encode(self, item: EncodingItem) -> np.ndarray:
        """Returns codes [frames, 16] int16, 12.5 frames per second.

        Raises InputError for audio that cannot be read, and for a codec without 16 codebooks.
        """
        with deterministic_arithmetic():
            codes = self._tokenizer.encode(item.wave(), sr=SAMPLE_RATE).audio_codes[0].cpu()
        if codes.ndim != 2 or codes.shape[0] == 0 or codes.shape[1] != CODEBOOKS:
            raise InputError(
                f"{item.clip.audio}: the codec gave codes {list(codes.shape)}, expected [frames, {CODEBOOKS}]; "
                "the recording is too short, or the model's codec is not the 12 Hz one"
            )
        return codes.numpy().astype(np.int16)


@contextmanager
def deterministic_arithmetic() -> Iterator[None]:
    """One thread, full float32 and fixed algorithms, so that codes do not depend on other processes or on load."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_num_threads(threads)
