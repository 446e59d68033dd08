"""Recordings beside a listening page, each with a picture of its waveform and spectrogram."""

import os
import shutil
from pathlib import Path
from urllib.parse import quote

import numpy as np

from results.media.spectrogram import envelope, spectrogram
from results.run.run_folder import RunFolder
from spaces.errors import InputError
from spaces.records.trial import BASE
from trainable.files.atomic import atomic_file
from trainable.speech.audio import SAMPLE_RATE, read_audio

FOLDER = "media"
COLUMNS_PER_SECOND, MIN_COLUMNS, MAX_COLUMNS = 100, 140, 480
WAVE_ROWS, SPECTRUM_ROWS = 26, 54
SHADES = 24
"""Levels of the spectrogram; fewer make smaller files."""
WAVE_COLOUR = (0x5B, 0x93, 0xC9, 0xFF)
"""RGBA, visible on a light and on a dark page."""


class PageMedia:
    """The media files of a page, in a folder beside it. Unchanged files are not written again."""

    def __init__(self, run: RunFolder, page_folder: Path) -> None:
        self._run, self._folder = run, page_folder
        self._files: dict[str, Path] = {}

    def recording(self, trial: str, audio: str) -> str | None:
        """The address of a trial's recording, `audio` relative to its folder; None where the recording is gone."""
        owner = self._run.base if trial == BASE else self._run.trial(trial)
        file = owner / audio
        if not file.is_file() or not file.resolve().is_relative_to(owner.resolve()):
            return None
        return self._address(_link_or_copy(file, self._folder / FOLDER / trial / audio))

    def voice_recording(self, file: Path | None, name: str) -> str | None:
        """The address of a recording of the dataset, named `name` beside the page; None where it is gone."""
        if file is None or not file.is_file():
            return None
        return self._address(_link_or_copy(file, self._folder / FOLDER / "voice" / f"{name}{file.suffix}"))

    def picture(self, address: str | None) -> str | None:
        """The address of the picture of the recording at `address`; None where the recording cannot be read."""
        if address is None:
            return None
        file = self._files[address]
        target = file.with_suffix(".png")
        if not target.is_file() or target.stat().st_mtime_ns < file.stat().st_mtime_ns:
            try:
                wave = read_audio(file)
            except InputError:
                return None
            _draw(wave, target)
        return self._address(target)

    def _address(self, file: Path) -> str:
        address = quote(file.relative_to(self._folder).as_posix(), errors="surrogateescape")
        self._files[address] = file
        return address


def _link_or_copy(file: Path, target: Path) -> Path:
    """Makes `target` a hard link to `file`, or a copy across file systems."""
    if target.exists() and (target.samefile(file) or target.stat().st_mtime_ns == file.stat().st_mtime_ns):
        return target
    with atomic_file(target) as part:
        try:
            os.link(file.resolve(), part)
        except OSError:
            shutil.copy2(file, part)
    return target


def _draw(wave: np.ndarray, target: Path) -> None:
    """Draws the waveform above the spectrogram, as PNG."""
    from matplotlib import colormaps
    from matplotlib.image import imsave

    columns = int(np.clip(len(wave) / SAMPLE_RATE * COLUMNS_PER_SECOND, MIN_COLUMNS, MAX_COLUMNS))
    levels = np.round(spectrogram(wave, SPECTRUM_ROWS, columns) * SHADES) / SHADES
    spectrum = colormaps["magma"](levels, bytes=True)
    low, high = (np.clip(edge, -1, 1) for edge in envelope(wave, columns))
    heights = np.linspace(1, -1, WAVE_ROWS)[:, None]
    covered = (heights <= high + 1 / WAVE_ROWS) & (heights >= low - 1 / WAVE_ROWS)
    picture = np.zeros((WAVE_ROWS, columns, 4), np.uint8)
    picture[covered] = WAVE_COLOUR
    with atomic_file(target) as part:
        imsave(part, np.concatenate([picture, spectrum]), format="png", pil_kwargs={"optimize": True})
