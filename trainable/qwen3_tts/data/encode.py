"""Encodes the items that a code store lacks. Any number of processes share the work without repeating any.

Items are divided into buckets by their keys, and a process encodes a bucket while it holds the bucket's lock.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from filelock import Timeout

from trainable.dataset.encoding_plan import EncodingItem
from trainable.qwen3_tts.data.code_store import CodeStore

CHUNK = 16
"""Items written at once, and the most that a killed process loses."""
BUCKET_DIGITS = 2
"""Hexadecimal digits of an item's key that name its bucket. Two give 256 buckets for all datasets."""
POLL_SECONDS = 0.5
"""Between two looks at buckets that other processes hold."""
WORKERS_FROM_SECONDS = 60.0
"""Seconds of remaining work from which on workers are started. Each takes about ten seconds to import and load."""
WARM_UP = 4
"""Items to encode before the speed is estimated. The first is slowed by loading and is left out."""
MAX_WORKERS = {"cpu": 8, "cuda": 3}

Encode = Callable[[EncodingItem], np.ndarray]


def encode_items(
    items: Sequence[EncodingItem], checkpoint: Path, store: CodeStore, on_progress: Callable[[int, int], None]
) -> int:
    """Returns once the store has the codes of every item, with the number that this call and its workers encoded.

    `on_progress(done, total)` counts different items. Raises InputError for audio that cannot be read and for a store
    that cannot be written; codes added until then stay.
    """
    from trainable.qwen3_tts.data.encode_workers import EncodeWorkers

    wanted = {item.key: item for item in items}
    remaining = _Remaining(store, frozenset(wanted))
    store.refresh()
    on_progress(len(wanted) - remaining.count(), len(wanted))
    if not remaining.count():
        return 0
    from trainable.qwen3_tts.data.codec import Codec, encoding_device

    device = encoding_device()
    codec, speed = Codec(checkpoint, device), _Throughput()

    def on_item(unwritten: int) -> None:
        left = remaining.count() - unwritten
        on_progress(len(wanted) - left, len(wanted))
        if not workers.started and speed.seconds_for(left) > WORKERS_FROM_SECONDS:
            workers.start(wanted, checkpoint, store.folder, device)

    with EncodeWorkers(_worker_count(device.type)) as workers:
        buckets, encoded = buckets_of(wanted), 0
        while buckets:
            count, buckets = encode_unlocked(buckets, store, speed.timed(codec.encode), on_item)
            encoded += count
            if buckets:
                time.sleep(POLL_SECONDS)
                store.refresh()
                on_item(0)
        encoded += workers.finish()
    store.merge()
    return encoded


def buckets_of(items: Mapping[str, EncodingItem]) -> Mapping[str, Mapping[str, EncodingItem]]:
    """Groups items by bucket: {bucket: {key: item}}."""
    buckets: dict[str, dict[str, EncodingItem]] = {}
    for key in sorted(items):
        buckets.setdefault(key[:BUCKET_DIGITS], {})[key] = items[key]
    return buckets


def encode_unlocked(
    buckets: Mapping[str, Mapping[str, EncodingItem]], store: CodeStore, encode: Encode, on_item: Callable[[int], None]
) -> tuple[int, Mapping[str, Mapping[str, EncodingItem]]]:
    """Goes once over the buckets and encodes the missing items of those that no other process holds.

    Returns the number of items encoded, and the buckets that other processes hold. `on_item(unwritten)` is called after
    each item with the number of encoded items that are not in the store yet.
    """
    encoded = 0
    locked: dict[str, Mapping[str, EncodingItem]] = {}
    for name, bucket in buckets.items():
        if not store.missing(bucket):
            continue
        try:
            with store.lock(name):
                store.refresh()
                encoded += _encode_bucket([bucket[key] for key in store.missing(bucket)], store, encode, on_item)
        except Timeout:
            locked[name] = bucket
    return encoded, locked


def _encode_bucket(items: list[EncodingItem], store: CodeStore, encode: Encode, on_item: Callable[[int], None]) -> int:
    chunk: dict[str, np.ndarray] = {}
    try:
        for item in items:
            chunk[item.key] = encode(item)
            on_item(len(chunk))
            if len(chunk) == CHUNK:
                store.add(chunk)
                chunk = {}
    finally:
        store.add(chunk)
    return len(items)


def _worker_count(device_type: str) -> int:
    """One core is left to this process. On a GPU the encoder waits for kernel launches, so several can share it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MAX_WORKERS[device_type], cores - 1)


class _Remaining:
    """Counts the wanted keys that a store lacks; counts again only after the store's keys have changed."""

    def __init__(self, store: CodeStore, wanted: frozenset[str]) -> None:
        self._store, self._wanted = store, wanted
        self._known: frozenset[str] | None = None
        self._count = 0

    def count(self) -> int:
        if self._store.keys is not self._known:
            self._known = self._store.keys
            self._count = len(self._wanted - self._known)
        return self._count


class _Throughput:
    """Seconds per item in this process."""

    def __init__(self) -> None:
        self._seconds: list[float] = []

    def timed(self, encode: Encode) -> Encode:
        def timed_encode(item: EncodingItem) -> np.ndarray:
            started = time.perf_counter()
            codes = encode(item)
            self._seconds.append(time.perf_counter() - started)
            return codes

        return timed_encode

    def seconds_for(self, items: int) -> float:
        """Estimated seconds for so many items; 0 until enough have been encoded."""
        if len(self._seconds) < WARM_UP:
            return 0.0
        return items * sum(self._seconds[1:]) / (len(self._seconds) - 1)
