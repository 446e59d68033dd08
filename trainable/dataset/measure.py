"""Measures recordings, once per file, without resampling. Imports numpy and soundfile only."""

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
"""Windows below this level are never speech: it is the noise of a good microphone."""
SPEECH_RANGE_DB = 30.0
"""A window is speech if it is within so many dB of the loudest windows."""
BANDWIDTH_SHARE = 0.999
BLOCK_SAMPLES = 1 << 19
"""Samples of all channels per block: memory does not grow with the length of a recording."""
RATES = (1_000, 768_000)
"""Hz. A header with any other rate is broken."""
MAX_THREADS = 8


def measure(path: Path) -> ClipMeasures:
    """Measures one file, block by block.

    Raises InputError when it is missing, unreadable or empty, or holds samples that are not finite.
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
            accumulator = _Accumulator(file.samplerate)
            frames = accumulator.window * max(1, BLOCK_SAMPLES // (accumulator.window * file.channels))
            with np.errstate(over="ignore", invalid="ignore"):
                while (block := file.read(frames, dtype="float32", always_2d=True)).shape[0]:
                    mono = block.mean(axis=1)
                    if not np.isfinite(mono).all():
                        raise InputError(f"{path}: holds samples that are not finite numbers; convert it to 16-bit WAV")
                    accumulator.add(mono)
            if not accumulator.samples:
                raise InputError(f"{path}: empty, it holds 0 samples; record it again or remove it from the dataset")
            return accumulator.measures(sha256, file.channels)
    except (soundfile.SoundFileError, RuntimeError, OSError, TypeError, UnicodeError) as error:
        raise InputError(f"{path}: not readable as audio ({error}); {_remedy(path)}") from None


def measure_all(
    paths: Sequence[Path], cache: Path, on_progress: Callable[[int, int], None]
) -> dict[Path, ClipMeasures | InputError]:
    """Measures each file, several at once; reads from `cache/measures/` those measured before.

    The cache key is the absolute path, size and modification time. A cache that cannot be read or written only costs
    time. `on_progress(done, total)` is called in the caller's thread.
    """
    wanted = list(dict.fromkeys(paths))
    found: dict[Path, ClipMeasures | InputError] = {}
    pool = ThreadPoolExecutor(max_workers=min(MAX_THREADS, os.cpu_count() or 1))
    try:
        waiting = {pool.submit(_measure_cached, path, cache / "measures"): path for path in wanted}
        for done, future in enumerate(as_completed(waiting), start=1):
            found[waiting[future]] = future.result()
            on_progress(done, len(wanted))
    finally:
        pool.shutdown(cancel_futures=True)
    return {path: found[path] for path in wanted}


def _measure_cached(path: Path, folder: Path) -> ClipMeasures | InputError:
    cached = _cache_path(path, folder)
    if cached is not None:
        try:
            return ClipMeasures.model_validate_json(cached.read_bytes())
        except (OSError, ValidationError):
            pass
    try:
        measures = measure(path)
    except InputError as error:
        return error
    if cached is not None:
        _write_cached(cached, measures)
    return measures


def _cache_path(path: Path, folder: Path) -> Path | None:
    """Where the measures of the file's present version are cached; None for a file that is not there."""
    try:
        stat = path.stat()
        key = f"{path.absolute()}\0{stat.st_size}\0{stat.st_mtime_ns}"
    except (OSError, ValueError):
        return None
    name = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
    return folder / name[:2] / f"{name[2:]}.json"


def _write_cached(path: Path, measures: ClipMeasures) -> None:
    """Without a flush to disk: after a power cut the file is measured again."""
    with suppress(OSError), atomic_file(path, flush=False) as part:
        part.write_text(measures.model_dump_json(), encoding="utf-8")


def _remedy(path: Path) -> str:
    if path.suffix.lower() in FOREIGN_SUFFIXES:
        return f'convert it: ffmpeg -i "{path.name}" "{path.stem}.wav"'
    return "convert it to WAV or FLAC"


class _Accumulator:
    """Running sums over a recording's blocks: the level of each window, and one spectrum per dB of level."""

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
        """mono: [samples] float32; a whole number of windows, except in the last block."""
        wave = mono.astype(np.float64)
        self.samples += wave.size
        self._sum += float(wave.sum())
        self._squares += float(wave @ wave)
        self._clipped += int((np.abs(wave) >= CLIPPED_LEVEL).sum())
        whole = wave.size // self.window * self.window
        if not whole and not self._levels:
            wave, whole = np.pad(wave, (0, self.window - wave.size), mode="wrap"), self.window
        if whole:
            self._add_windows(wave[:whole].reshape(-1, self.window))

    def _add_windows(self, windows: np.ndarray) -> None:
        levels = _dbfs(np.mean(windows * windows, axis=1))
        self._levels.append(levels)
        tapered = (windows - windows.mean(axis=1, keepdims=True)) * self._taper
        spectra = np.square(np.abs(np.fft.rfft(tapered, axis=1)))
        spectra /= np.maximum(spectra.sum(axis=1, keepdims=True), 1e-30)
        rounded = np.floor(levels).astype(int)
        for level in np.unique(rounded):
            self._spectra[int(level)] = self._spectra.get(int(level), 0.0) + spectra[rounded == level].sum(axis=0)

    def measures(self, sha256: str, channels: int) -> ClipMeasures:
        levels = np.concatenate(self._levels)
        ordered = np.sort(levels)
        loudest = float(_mean_level(ordered[-max(1, levels.size // 20) :]))
        threshold = max(loudest - SPEECH_RANGE_DB, SILENT_DBFS)
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
            noise_dbfs=float(_mean_level(ordered[: max(1, levels.size // 10)])),
            longest_pause=min(_longest_run(~speech) * WINDOW_SECONDS, self.samples / self.rate),
            bandwidth=self._bandwidth(threshold),
        )

    def _bandwidth(self, threshold: float) -> float:
        """Over the windows of speech, each normalised to equal energy: an /s/ is 20 dB below the vowels beside it and
        would be lost in a plain sum."""
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


def _longest_run(flags: np.ndarray) -> int:
    """Length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))
