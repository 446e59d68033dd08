"""What TensorBoard lets hear and see of a verdict: recordings, and their spectra with what was heard in them."""

from __future__ import annotations

import re
import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from results.media.spectrogram import TOP_HERTZ, spectrogram
from results.media.voice_recordings import VoiceRecordings
from spaces.errors import InputError
from spaces.records.paired import with_occurrence
from spaces.records.verdict import SpokenLine
from trainable.speech.audio import SAMPLE_RATE, read_audio

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

COLUMNS, ROWS, TITLE, DPI = 520, 128, 52, 80
"""Pixels of a picture: its width, the height of the spectrum and of the words above it."""
LETTERS = 48
"""Of a line's text in the name of what it is called by."""


def name_of(text: str, occurrence: int) -> str:
    """What a line is called in every run, so that a trial's stands beside the base model's."""
    plain = re.sub(r"\W+", "_", text).strip("_")[:LETTERS] or "line"
    return f"{plain}_{occurrence + 1}" if occurrence else plain


def add_lines(
    writer: SummaryWriter, folder: Path, lines: Sequence[SpokenLine], step: int, group: str = "probe"
) -> None:
    """Adds the recordings of these lines that can be read, `folder` being the trial's."""
    for (text, occurrence), line in with_occurrence(lines):
        wave = _read(folder / line.audio)
        if wave is None:
            continue
        name = name_of(text, occurrence)
        _add_audio(writer, f"{group}/{name}/spoken", wave, step)
        heard = "no recogniser listened" if line.heard is None else f"heard: {line.heard or 'nothing'}"
        writer.add_image(f"{group}_spectrum/{name}", _picture(wave, text, heard), step, dataformats="HWC")


def add_voice(writer: SummaryWriter, lines: Sequence[SpokenLine], own: VoiceRecordings) -> None:
    """Adds the voice's reference, and its own recordings of these lines."""
    reference = _read(own.reference) if own.reference else None
    if reference is not None:
        _add_audio(writer, "probe/reference", reference, 0)
    for (text, occurrence), _ in with_occurrence(lines):
        wave = _read(own.clips[text]) if text in own.clips and not occurrence else None
        if wave is not None:
            _add_audio(writer, f"probe/{name_of(text, 0)}/ground_truth", wave, 0)


def _read(file: Path) -> np.ndarray | None:
    try:
        return read_audio(file)
    except InputError:
        return None


def _add_audio(writer: SummaryWriter, name: str, wave: np.ndarray, step: int) -> None:
    writer.add_audio(name, np.clip(wave, -1, 1)[None], step, SAMPLE_RATE)


def _picture(wave: np.ndarray, text: str, heard: str) -> np.ndarray:
    """[height, width, 3] uint8: the text, what was heard, and the spectrum below."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Without axes, whose ticks take most of the time: the driver of a search waits for this.
    figure = Figure(figsize=(COLUMNS / DPI, (ROWS + TITLE) / DPI), dpi=DPI, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    about = f"{len(wave) / SAMPLE_RATE:.1f} s, 0 to {TOP_HERTZ / 1000:g} kHz"
    told = "\n".join(textwrap.shorten(part, 84, placeholder=" …") for part in (text, heard, about))
    figure.text(0.01, 0.98, told, fontsize=9, va="top", parse_math=False)
    with warnings.catch_warnings():
        # A script that the font lacks is drawn as boxes; its text stands beside the verdict.
        warnings.filterwarnings("ignore", message="Glyph")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        canvas.draw()
    picture = np.asarray(canvas.buffer_rgba())[:, :, :3].copy()
    spectrum = colormaps["magma"](spectrogram(wave, ROWS, picture.shape[1]), bytes=True)
    picture[-ROWS:] = spectrum[:, :, :3]
    return picture
