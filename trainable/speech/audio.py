"""Reading and writing audio: soundfile for files, torchaudio for resampling."""

from pathlib import Path

import numpy as np
import soundfile

from spaces.errors import InputError
from trainable.files.atomic import atomic_file

SAMPLE_RATE = 24_000
"""Hz; every model family works at this rate."""


def read_audio(path: Path) -> np.ndarray:
    """Reads a file as [samples] float32, 24 kHz, mono (channels averaged).

    Raises InputError when the file is missing, unreadable or empty, or holds samples that are not finite.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such audio file")
    try:
        wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        raise InputError(f"{path}: not readable as audio ({error}); convert it to WAV or FLAC") from None
    if wave.shape[0] == 0:
        raise InputError(f"{path}: empty, it holds 0 samples; record it again or remove it from metadata.jsonl")
    mono = wave.mean(axis=1)
    if not np.isfinite(mono).all():
        raise InputError(f"{path}: holds samples that are not finite numbers; convert it to 16-bit WAV")
    return resample(mono, rate, SAMPLE_RATE)


def write_audio(path: Path, wave: np.ndarray) -> None:
    """Writes [samples] float32 at 24 kHz as 16-bit WAV."""
    with atomic_file(path, flush=False) as part:
        soundfile.write(part, np.clip(wave, -1.0, 1.0), SAMPLE_RATE, subtype="PCM_16", format="WAV")


def resample(wave: np.ndarray, rate: int, to: int) -> np.ndarray:
    """[samples] float32 at `rate` Hz → [samples'] float32 at `to` Hz. Torch is imported only when the rates differ."""
    if rate == to:
        return np.ascontiguousarray(wave, dtype=np.float32)
    import torch
    import torchaudio

    return torchaudio.functional.resample(torch.from_numpy(wave), rate, to).numpy()
