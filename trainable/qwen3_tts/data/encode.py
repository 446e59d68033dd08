"""Encoding what a code store lacks: any number of processes share the work and none repeats another's."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from filelock import Timeout

from trainable.dataset.encoding_plan import EncodingItem
from trainable.qwen3_tts.data.code_store import CodeStore

CHUNK = 16
"""Takes that are written at once, and what a kill costs a process at most."""
PREFIX = 2
"""Hexadecimal digits of its key that name a take's bucket: a lock each, 256 in all, whatever dataset it is from."""
WAITING_SECONDS = 0.5
WORTH_SECONDS = 60.0
"""Work that must be left for helpers to be started: each takes some ten seconds to import and load what it needs."""
WARM_UP = 4
"""Takes of which the first, slowed by loading, is left out and the others tell the pace."""
MOST_HELPERS = {"cpu": 8, "cuda": 3}

Encode = Callable[[EncodingItem], np.ndarray]


def encode_takes(
    takes: Sequence[EncodingItem], checkpoint: Path, store: CodeStore, on_progress: Callable[[int, int], None]
) -> int:
    """Returns when the store has the codes of every take, whoever encoded them; how many this call did itself.

    `on_progress(done, of)` counts different takes. Raises InputError as a take's audio and the store do; what was
    encoded until then stays.
    """
    from trainable.qwen3_tts.data.encode_workers import EncodeWorkers

    wanted = {take.key: take for take in takes}
    left = _Left(store, frozenset(wanted))
    store.refresh()
    on_progress(len(wanted) - left.count(), len(wanted))
    if not left.count():
        return 0
    from trainable.qwen3_tts.data.codec import Codec, encoding_device

    device = encoding_device()
    codec, pace = Codec(checkpoint, device), _Pace()

    def on_take(unwritten: int) -> None:
        to_do = left.count() - unwritten
        on_progress(len(wanted) - to_do, len(wanted))
        if not helpers.started and pace.seconds_for(to_do) > WORTH_SECONDS:
            helpers.start(wanted, checkpoint, store.folder, device)

    with EncodeWorkers(_room_for_helpers(device.type)) as helpers:
        buckets, own = buckets_of(wanted), 0
        while buckets:
            count, buckets = encode_free(buckets, store, pace.timed(codec.encode), on_take)
            own += count
            if buckets:
                time.sleep(WAITING_SECONDS)
                store.refresh()
                on_take(0)
        own += helpers.finish()
    store.merge()
    return own


def buckets_of(takes: Mapping[str, EncodingItem]) -> dict[str, dict[str, EncodingItem]]:
    """Takes by key → the same by bucket."""
    buckets: dict[str, dict[str, EncodingItem]] = {}
    for key in sorted(takes):
        buckets.setdefault(key[:PREFIX], {})[key] = takes[key]
    return buckets


def encode_free(
    buckets: Mapping[str, Mapping[str, EncodingItem]], store: CodeStore, encode: Encode, on_take: Callable[[int], None]
) -> tuple[int, dict[str, Mapping[str, EncodingItem]]]:
    """Goes once over the buckets and encodes what is missing of those that nobody else holds.

    Returns how many takes were encoded, and the buckets that others hold. `on_take(unwritten)` after each take, with
    how many of those encoded are not in the store yet.
    """
    encoded, held = 0, {}
    for name, bucket in buckets.items():
        if not store.missing(bucket):
            continue
        try:
            with store.lock(name):
                store.refresh()
                encoded += _encode_bucket([bucket[key] for key in store.missing(bucket)], store, encode, on_take)
        except Timeout:
            held[name] = bucket
    return encoded, held


def _encode_bucket(takes: list[EncodingItem], store: CodeStore, encode: Encode, on_take: Callable[[int], None]) -> int:
    chunk: dict[str, np.ndarray] = {}
    try:
        for take in takes:
            chunk[take.key] = encode(take)
            on_take(len(chunk))
            if len(chunk) == CHUNK:
                store.add(chunk)
                chunk = {}
    finally:
        store.add(chunk)
    return len(takes)


def _room_for_helpers(kind: str) -> int:
    """One core is this process's own. On a GPU the encoder waits for launches, so that several share it well."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST_HELPERS[kind], cores - 1)


class _Left:
    """How many of the wanted keys a store lacks; counted anew only when it has learned of others."""

    def __init__(self, store: CodeStore, wanted: frozenset[str]) -> None:
        self._store, self._wanted = store, wanted
        self._known: frozenset[str] | None = None
        self._count = 0

    def count(self) -> int:
        if self._store.keys is not self._known:
            self._known = self._store.keys
            self._count = len(self._wanted - self._known)
        return self._count


class _Pace:
    """Seconds per take of this process."""

    def __init__(self) -> None:
        self._seconds: list[float] = []

    def timed(self, encode: Encode) -> Encode:
        def encode_and_note(take: EncodingItem) -> np.ndarray:
            started = time.perf_counter()
            codes = encode(take)
            self._seconds.append(time.perf_counter() - started)
            return codes

        return encode_and_note

    def seconds_for(self, takes: int) -> float:
        """0 while nothing is known."""
        if len(self._seconds) < WARM_UP:
            return 0.0
        return takes * sum(self._seconds[1:]) / (len(self._seconds) - 1)
