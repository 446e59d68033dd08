"""Streams the rows of a hub's dataset. Recordings stay encoded bytes; `datasets` never decodes them."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Any

from spaces.errors import InputError
from trainable.dataset.formatting import printable
from trainable.dataset.loading.hub_columns import Columns, find_columns
from trainable.dataset.source import HUB, Source

SPLIT = "train"
"""The split that is read where none is given."""
CONVERSION = "refs/convert/parquet"
"""The revision where the hub stores a Parquet conversion of every public dataset, a folder per config and split."""
PARTIAL = "partial-"
"""Prefix of a split of which the hub converted only the first gigabytes."""
MAX_ERROR = 300


@dataclass(frozen=True)
class HubLibrary:
    """The functions of `datasets` and of the hub that are used; tests replace them."""

    load: Callable[..., Any]
    """As `datasets.load_dataset`."""
    converted: Callable[[str], Sequence[str]]
    """Maps a dataset's ID to the paths of all files of its Parquet conversion."""


@dataclass(frozen=True)
class HubRow:
    audio: bytes | None
    text: str | None
    speaker: str | None


@dataclass(frozen=True)
class HubSplit:
    """A split, from a given row on."""

    rows: Iterator[HubRow]
    """Raises InputError where the hub stops answering."""
    partial: bool
    """Whether the hub has only the first part of it as Parquet."""


def hub_library() -> HubLibrary:
    """The real `datasets` and hub. Warnings on each attempt to connect are silenced; the last error is raised."""
    import datasets
    from huggingface_hub import HfApi
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()

    def converted(name: str) -> list[str]:
        return HfApi().list_repo_files(name, repo_type="dataset", revision=CONVERSION)

    return HubLibrary(datasets.load_dataset, converted)


def open_rows(source: Source, skip: int, library: HubLibrary) -> HubSplit:
    """The rows of a source after its first `skip` rows.

    Where the dataset is a script, which `datasets` does not run, or `datasets` would decode its recordings, the hub's
    Parquet conversion is read instead. Raises InputError with a remedy when the hub refuses.
    """
    location = source.id or str(source.path)
    if source.id is not None and Path(source.id).is_dir():
        raise InputError(f"{source}: there is a folder of that name too, which would be read; write hf:./{source.id}")
    try:
        loaded = library.load(location, name=source.config, split=source.split or SPLIT, streaming=True)
        return HubSplit(_stream(loaded, source, skip), partial=False)
    except InputError:
        raise
    except Exception as error:
        # The exceptions of `datasets`, pyarrow, fsspec and the hub have no common base class.
        if source.id is None or not _needs_conversion(error):
            raise explain(source, error) from None
        reason = error
    try:
        files = list(library.converted(source.id))
    except Exception as error:
        raise _explain_no_conversion(source, reason, error) from None
    chosen = choose_files(source, files)
    urls = [f"hf://datasets/{source.id}@{CONVERSION.replace('/', '%2F')}/{name}" for name in chosen]
    try:
        loaded = library.load("parquet", data_files=urls, split="train", streaming=True)
        return HubSplit(_stream(loaded, source, skip), partial=any(f"/{PARTIAL}" in name for name in chosen))
    except InputError:
        raise
    except Exception as error:
        raise explain(source, error) from None


def choose_files(source: Source, files: Sequence[str]) -> list[str]:
    """Those of a conversion's files, `CONFIG/SPLIT/0000.parquet`, that belong to the source's config and split, sorted.

    Raises InputError that names the existing configs or splits.
    """
    parts = [path.parts for path in map(PurePosixPath, files) if path.suffix == ".parquet" and len(path.parts) == 3]
    configs = list(dict.fromkeys(part[0] for part in parts))
    config = source.config or (configs[0] if len(configs) == 1 else "default")
    if config not in configs:
        existing = ", ".join(map(printable, configs)) or "none"
        raise InputError(f"{source}: expected one of its configs, {existing}; write {HUB}{source.id}:CONFIG")
    split = source.split or SPLIT
    chosen = ["/".join(part) for part in parts if part[0] == config and part[1] in (split, PARTIAL + split)]
    if not chosen:
        splits = ", ".join(
            dict.fromkeys(printable(part[1].removeprefix(PARTIAL)) for part in parts if part[0] == config)
        )
        raise InputError(f"{source}: no split {split}, there are {splits}; write {HUB}{source.id}:{config}:SPLIT")
    return sorted(chosen)


def explain(source: Source, error: Exception) -> InputError:
    """What the hub or its library refused, and what to do; without tokens and signatures of URLs."""
    name, words = type(error).__name__, _without_secrets(str(error))
    if "torchcodec" in words:
        remedy = "give a local folder of recordings as it is, without hf:"
        return InputError(f"{source}: its recordings are not in Parquet, so datasets would decode them; {remedy}")
    if "scripts are no longer supported" in words:
        return InputError(f"{source}: is a script, which datasets does not run; save its rows as Parquet files")
    if name in ("DatasetNotFoundError", "GatedRepoError", "RepositoryNotFoundError"):
        page = f"ask for access on https://huggingface.co/datasets/{source.id} and log in with `hf auth login`"
        return InputError(f"{source}: not on the hub, private or gated ({words}); check its spelling, or {page}")
    if name in ("DataFilesNotFoundError", "EmptyDatasetError", "FileNotFoundError"):
        return InputError(
            f"{source}: nothing to read there ({words}); expected a hub's ID, or a folder with Parquet files"
        )
    if isinstance(error, ConnectionError) or "Timeout" in name or "Connect" in name:
        remedy = "check the network and HF_HUB_OFFLINE; what is fetched is kept: run it again to continue"
        return InputError(f"{source}: the hub cannot be reached ({words}); {remedy}")
    if "BuilderConfig" in words or "onfig name is missing" in words or "Bad split" in words or "nknown split" in words:
        return InputError(f"{source}: {words}; write {HUB}ID:CONFIG:SPLIT, either may be empty")
    return InputError(f"{source}: cannot be read ({name}: {words})")


def _stream(loaded: Any, source: Source, skip: int) -> Iterator[HubRow]:
    """Reads the first row at once, so that unreadable data raises here."""
    from datasets import Audio

    features = loaded.features or {}
    columns = find_columns(features, source)
    if isinstance(features[columns.audio], Audio):
        loaded = loaded.cast_column(columns.audio, Audio(decode=False))
    rows = iter(loaded.select_columns(columns.names).skip(skip))
    first = list(islice(rows, 1))
    names = getattr(features[columns.speaker], "names", None) if columns.speaker else None
    return _to_rows(chain(first, rows), columns, names, source)


def _to_rows(
    rows: Iterator[dict[str, Any]], columns: Columns, names: Sequence[str] | None, source: Source
) -> Iterator[HubRow]:
    """`names`: the labels of a speaker column that holds class indices."""
    while True:
        try:
            row = next(rows, None)
        except Exception as error:
            raise explain(source, error) from None
        if row is None:
            return
        audio, text = row[columns.audio], row[columns.text]
        # A row may hold only a path. It is never opened: a dataset must not choose files of this machine.
        audio = audio.get("bytes") if isinstance(audio, dict) else audio
        speaker = row[columns.speaker] if columns.speaker else None
        if names and isinstance(speaker, int) and 0 <= speaker < len(names):
            speaker = names[speaker]
        yield HubRow(
            audio if isinstance(audio, bytes) and audio else None,
            text if isinstance(text, str) else None,
            None if speaker is None else str(speaker),
        )


def _needs_conversion(error: Exception) -> bool:
    words = str(error)
    return "scripts are no longer supported" in words or "torchcodec" in words or "trust_remote_code" in words


def _explain_no_conversion(source: Source, reason: Exception, error: Exception) -> InputError:
    if type(error).__name__ not in ("RevisionNotFoundError", "EntryNotFoundError"):
        return explain(source, error)
    why = "is a script, which datasets does not run" if "script" in str(reason) else "would be decoded by datasets"
    return InputError(
        f"{source}: {why}; the hub has no Parquet conversion of it ({CONVERSION}) either. Save its recordings and "
        "transcripts with the tools of its authors, and give the folder"
    )


def _without_secrets(words: str) -> str:
    """The text on one line, without tokens and without the query of a URL."""
    words = re.sub(r"hf_\w{6,}", "hf_…", " ".join(words.split()))
    words = re.sub(r"(https?://[^\s?]+)\?\S+", r"\1", words)
    return printable(words if len(words) <= MAX_ERROR else words[:MAX_ERROR] + "…")
