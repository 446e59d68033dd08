"""What a recording measures, worked out once per file: numpy and soundfile only, nothing is resampled."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path

import numpy as np
import soundfile
from pydantic import ValidationError

from spaces.errors import InputError
from trainable.dataset.clip import ClipMeasures
from trainable.dataset.user_files import FOREIGN_SUFFIXES
from trainable.files.atomic import atomic_file

CLIPPED_LEVEL = 0.985
"""Share of full scale from which a sample counts as clipped, as the probe counts it."""
WINDOW_SECONDS = 0.02
FLOOR_DBFS = -120.0
"""Level given to digital silence."""
SILENT_DBFS = -60.0
"""No window below this holds speech, however quiet the rest: it is the noise of a good microphone."""
SPEECH_RANGE = 30.0
"""dB below its loudest windows within which a recording counts as speech."""
BANDWIDTH_SHARE = 0.999
BLOCK_SAMPLES = 1 << 19
"""Samples of all channels held at once, so that a recording of hours takes no more memory than one of seconds."""
RATES = (1_000, 768_000)
"""Hz; a header that says anything else is broken."""
MOST_THREADS = 8


def measure(path: Path) -> ClipMeasures:
    """Reads one file from end to end, a block at a time.

    Raises InputError when it is missing, unreadable, empty, or holds numbers that are not finite.
    """
    try:
        if not path.is_file():
            raise InputError(f"{path}: no such audio file")
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        with soundfile.SoundFile(path) as file:
            if not RATES[0] <= file.samplerate <= RATES[1]:
                raise InputError(
                    f"{path}: its header says {file.samplerate} Hz, expected {RATES[0]} to {RATES[1]}; "
                    "the file is broken, export it again as WAV or FLAC"
                )
            sums = _Sums(file.samplerate)
            frames = sums.window * max(1, BLOCK_SAMPLES // (sums.window * file.channels))
            with np.errstate(over="ignore", invalid="ignore"):
                while (block := file.read(frames, dtype="float32", always_2d=True)).shape[0]:
                    mono = block.mean(axis=1)
                    if not np.isfinite(mono).all():
                        raise InputError(f"{path}: holds samples that are not finite numbers; convert it to 16-bit WAV")
                    sums.add(mono)
            if not sums.samples:
                raise InputError(f"{path}: empty, it holds 0 samples; record it again or remove it from the dataset")
            return sums.measures(sha256, file.channels)
    except (soundfile.SoundFileError, RuntimeError, OSError, TypeError, UnicodeError) as error:
        raise InputError(f"{path}: not readable as audio ({error}); {_way_out(path)}") from None


def measure_all(
    paths: Sequence[Path], cache: Path, on_progress: Callable[[int, int], None]
) -> dict[Path, ClipMeasures | InputError]:
    """Measures each file, several side by side, or takes from `cache/measures/` what is known of it.

    A file is known by its absolute path, size and time of change. `on_progress(done, of)` is called in the caller's
    thread. A cache that cannot be read or written costs time, nothing else.
    """
    wanted = list(dict.fromkeys(paths))
    found: dict[Path, ClipMeasures | InputError] = {}
    pool = ThreadPoolExecutor(max_workers=min(MOST_THREADS, os.cpu_count() or 1))
    try:
        waiting = {pool.submit(_measure_cached, path, cache / "measures"): path for path in wanted}
        for done, future in enumerate(as_completed(waiting), start=1):
            found[waiting[future]] = future.result()
            on_progress(done, len(wanted))
    finally:
        pool.shutdown(cancel_futures=True)
    return {path: found[path] for path in wanted}


def _measure_cached(path: Path, folder: Path) -> ClipMeasures | InputError:
    kept = _place(path, folder)
    if kept is not None:
        try:
            return ClipMeasures.model_validate_json(kept.read_bytes())
        except (OSError, ValidationError):
            pass
    try:
        measures = measure(path)
    except InputError as error:
        return error
    if kept is not None:
        _keep(kept, measures)
    return measures


def _place(path: Path, folder: Path) -> Path | None:
    """Where the measures of a file, as it is on disk, are kept."""
    try:
        stat = path.stat()
        key = f"{path.absolute()}\0{stat.st_size}\0{stat.st_mtime_ns}"
    except (OSError, ValueError):
        return None
    name = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
    return folder / name[:2] / f"{name[2:]}.json"


def _keep(path: Path, measures: ClipMeasures) -> None:
    """Not flushed to disk: a file that a power cut spoils is measured again."""
    with suppress(OSError), atomic_file(path, flush=False) as part:
        part.write_text(measures.model_dump_json(), encoding="utf-8")


def _way_out(path: Path) -> str:
    if path.suffix.lower() in FOREIGN_SUFFIXES:
        return f'convert it: ffmpeg -i "{path.name}" "{path.stem}.wav"'
    return "convert it to WAV or FLAC"


class _Sums:
    """What is kept of a recording while its blocks go by: its windows' levels, and a spectrum per dB of level."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.window = round(rate * WINDOW_SECONDS)
        self.samples = 0
        self._sum = self._squares = 0.0
        self._clipped = 0
        self._levels: list[np.ndarray] = []
        self._spectra: dict[int, np.ndarray] = {}
        self._taper = np.hanning(self.window).astype(np.float32)

    def add(self, mono: np.ndarray) -> None:
        """[samples] float32; whole windows, but for the last block."""
        wide = mono.astype(np.float64)
        self.samples += wide.size
        self._sum += float(wide.sum())
        self._squares += float(wide @ wide)
        size = np.abs(wide)
        self._clipped += int((size >= CLIPPED_LEVEL).sum())
        whole = wide.size // self.window * self.window
        if not whole and not self._levels:
            wide, whole = np.pad(wide, (0, self.window - wide.size), mode="wrap"), self.window
        if whole:
            self._add_windows(wide[:whole].reshape(-1, self.window))

    def _add_windows(self, windows: np.ndarray) -> None:
        levels = _dbfs(np.mean(windows * windows, axis=1))
        self._levels.append(levels)
        tapered = (windows - windows.mean(axis=1, keepdims=True)) * self._taper
        spectra = np.square(np.abs(np.fft.rfft(tapered, axis=1)))
        spectra /= np.maximum(spectra.sum(axis=1, keepdims=True), 1e-30)
        whole = np.floor(levels).astype(int)
        for level in np.unique(whole):
            self._spectra[int(level)] = self._spectra.get(int(level), 0.0) + spectra[whole == level].sum(axis=0)

    def measures(self, sha256: str, channels: int) -> ClipMeasures:
        levels = np.concatenate(self._levels)
        ordered = np.sort(levels)
        loudest = float(_mean_level(ordered[-_part(levels.size, 20) :]))
        threshold = max(loudest - SPEECH_RANGE, SILENT_DBFS)
        speech = levels >= threshold
        return ClipMeasures(
            sha256=sha256,
            rate=self.rate,
            channels=channels,
            seconds=self.samples / self.rate,
            rms_dbfs=float(_dbfs(np.array(self._squares / self.samples))),
            clipped_share=self._clipped / self.samples,
            dc=self._sum / self.samples,
            speech_share=float(speech.mean()),
            noise_dbfs=float(_mean_level(ordered[: _part(levels.size, 10)])),
            longest_pause=min(_longest_run(~speech) * WINDOW_SECONDS, self.samples / self.rate),
            bandwidth=self._bandwidth(threshold),
        )

    def _bandwidth(self, threshold: float) -> float:
        """Of the windows that hold speech, each counting alike: a hiss of /s/ is 20 dB below the vowels beside it, and
        would be lost in a sum of energies."""
        spectra = [spectrum for level, spectrum in self._spectra.items() if level >= np.floor(threshold)]
        if not spectra:
            return 0.0
        energy = np.cumsum(np.sum(spectra, axis=0))
        if energy[-1] <= 0:
            return 0.0
        return float(np.searchsorted(energy, BANDWIDTH_SHARE * energy[-1]) * self.rate / self.window)


def _dbfs(power: np.ndarray) -> np.ndarray:
    return np.maximum(10 * np.log10(np.maximum(power, 1e-30)), FLOOR_DBFS)


def _mean_level(levels: np.ndarray) -> np.ndarray:
    return _dbfs(np.mean(10 ** (levels / 10)))


def _part(count: int, of: int) -> int:
    """The size of one part of so many, at least 1."""
    return max(1, count // of)


def _longest_run(flags: np.ndarray) -> int:
    """Length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))
