"""How tables, summaries and model cards name what the probe could not judge."""

from collections.abc import Iterable

from trainable.probe.criteria.criteria_table import Flag


def describe_unjudged(unknown: Iterable[str]) -> str:
    """`whether speech is garbled (nothing listened to the words), voice_drift`; empty without unknown flags."""
    words = {str(Flag.GARBLED): "whether speech is garbled (nothing listened to the words)"}
    return ", ".join(words.get(flag, flag) for flag in unknown)
