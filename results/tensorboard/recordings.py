"""Recordings of a verdict in TensorBoard: audio, and spectrograms with text and transcript."""

from __future__ import annotations

import io
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
"""Pixels of a picture: its width, and the heights of the spectrogram and of the text above it."""
LETTERS = 48
"""Most letters of a line's text in its tag."""


def line_tag(text: str, occurrence: int) -> str:
    """The tag of a line, the same in every trial, so that TensorBoard shows a trial's beside the base model's."""
    plain = re.sub(r"\W+", "_", text).strip("_")[:LETTERS] or "line"
    return f"{plain}_{occurrence + 1}" if occurrence else plain


def add_lines(
    writer: SummaryWriter, folder: Path, lines: Sequence[SpokenLine], step: int, group: str = "probe"
) -> None:
    """Adds the recordings of these lines that can be read; `folder` is the trial's."""
    for (text, occurrence), line in with_occurrence(lines):
        wave = _read(folder / line.audio)
        if wave is None:
            continue
        name = line_tag(text, occurrence)
        _add_audio(writer, f"{group}/{name}/spoken", wave, step)
        heard = "no recogniser" if line.heard is None else f"heard: {line.heard or 'nothing'}"
        writer.add_image(f"{group}_spectrum/{name}", _picture(wave, text, heard), step, dataformats="HWC")


def add_voice(writer: SummaryWriter, lines: Sequence[SpokenLine], own: VoiceRecordings) -> None:
    """Adds the reference clip, and the speaker's own recordings of these lines."""
    reference = _read(own.reference) if own.reference else None
    if reference is not None:
        _add_audio(writer, "probe/reference", reference, 0)
    for (text, occurrence), _ in with_occurrence(lines):
        wave = _read(own.clips[text]) if text in own.clips and not occurrence else None
        if wave is not None:
            _add_audio(writer, f"probe/{line_tag(text, 0)}/ground_truth", wave, 0)


def _read(file: Path) -> np.ndarray | None:
    try:
        return read_audio(file)
    except InputError:
        return None


def _add_audio(writer: SummaryWriter, name: str, wave: np.ndarray, step: int) -> None:
    writer.add_audio(name, np.clip(wave, -1, 1)[None], step, SAMPLE_RATE)


def _picture(wave: np.ndarray, text: str, heard: str) -> np.ndarray:
    """[height, width, 3] uint8: the text, its transcript, and the spectrogram below."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # No axes: their ticks take most of the time, and the driver of the search waits for this.
    figure = Figure(figsize=(COLUMNS / DPI, (ROWS + TITLE) / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    about = f"{len(wave) / SAMPLE_RATE:.1f} s, 0 to {TOP_HERTZ / 1000:g} kHz"
    header = "\n".join(textwrap.shorten(part, 84, placeholder=" …") for part in (text, heard, about))
    figure.text(0.01, 0.98, header, fontsize=9, va="top", parse_math=False)
    file = io.BytesIO()
    with warnings.catch_warnings():
        # Characters that the font lacks are drawn as boxes; the verdict holds the text.
        warnings.filterwarnings("ignore", message="Glyph")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        figure.savefig(file, format="rgba")
    picture = np.frombuffer(file.getvalue(), np.uint8).reshape(ROWS + TITLE, COLUMNS, 4)[:, :, :3].copy()
    spectrum = colormaps["magma"](spectrogram(wave, ROWS, COLUMNS), bytes=True)
    picture[-ROWS:] = spectrum[:, :, :3]
    return picture
