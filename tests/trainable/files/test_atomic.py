"""A reader sees all of a file or folder or nothing, and no other module renames files to that end."""

from __future__ import annotations

import ast
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from trainable.files.atomic import atomic_file, atomic_folder, write_text

RENAMES = {
    "trainable/files/atomic.py": "the one place that writes atomically",
    "search/submit/fetch.py": "moves files that have arrived complete",
    "results/tensorboard/writer.py": "TensorBoard would read a temporary file: it goes by a part of the name",
}
"""Modules that may rename, each with its reason."""
FUNCTIONS = {("os", "replace"), ("os", "rename"), ("os", "renames"), ("shutil", "move")}


def renames(source: str) -> list[int]:
    """Lines that rename a file: `os.replace` and its like, `path.rename(…)`, and `path.replace(target)`. The methods
    `replace` of strings, dates and dataclasses take another number of arguments or take them by name."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            is_rename = any((node.module, alias.name) in FUNCTIONS for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value.id if isinstance(node.func.value, ast.Name) else None
            is_rename = (
                (owner, node.func.attr) in FUNCTIONS
                or (node.func.attr == "rename" and len(node.args) == 1)
                or (node.func.attr == "replace" and len(node.args) == 1 and not node.keywords)
            )
        else:
            continue
        if is_rename:
            lines.append(node.lineno)
    return lines


def test_only_one_module_writes_atomically() -> None:
    folders = ("spaces", "trainable", "results", "search", "demo", "clusters", "benchmarks")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix() for path in paths if renames(path.read_text(encoding="utf-8"))}
    assert found == set(RENAMES), "use trainable.files.atomic, or add the module to RENAMES with a reason"


@pytest.mark.parametrize(
    ("source", "is_rename"),
    [
        ("os.replace(part, path)", True),
        ("from os import rename", True),
        ("shutil.move(part, path)", True),
        ("(folder / 'x.part').rename(path)", True),
        ("part.replace(path)", True),
        ("text.replace('a', 'b')", False),
        ("dataclasses.replace(plan, seed=1)", False),
        ("moment.replace(tzinfo=UTC)", False),
    ],
)
def test_a_rename_is_told_from_other_methods(source: str, is_rename: bool) -> None:
    assert bool(renames(source)) is is_rename


def test_a_file_is_replaced_whole_and_the_folders_above_it_are_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "first")
    write_text(path, "zweite Fassung, größer")
    assert path.read_text(encoding="utf-8") == "zweite Fassung, größer"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), atomic_file(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_many_may_write_the_same_file_at_once(tmp_path: Path) -> None:
    path, texts = tmp_path / "file.txt", [str(number) * 50_000 for number in range(8)]
    with ThreadPoolExecutor(len(texts)) as pool:
        list(pool.map(lambda text: write_text(path, text), texts * 4))
    assert path.read_text() in texts and list(tmp_path.iterdir()) == [path]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for name in ("first", "second"):
        with atomic_folder(folder) as part:
            (part / name).write_text(name)
    assert [path.name for path in folder.iterdir()] == ["second"]
    assert list(tmp_path.iterdir()) == [folder]


def test_an_error_leaves_the_old_folder_and_a_killed_writer_leaves_nothing_for_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for leftover in (".folder.part", ".folder.old"):
        (tmp_path / leftover).mkdir()
        (tmp_path / leftover / "half").touch()
    with atomic_folder(folder) as part:
        assert not list(part.iterdir())
        (part / "old").touch()
    with pytest.raises(RuntimeError), atomic_folder(folder) as part:
        (part / "new").touch()
        raise RuntimeError
    assert [path.name for path in folder.iterdir()] == ["old"]
    assert not (tmp_path / ".folder.part").exists()


def test_content_is_flushed_to_disk_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: flushed.append(os.fstat(file).st_size))
    write_text(tmp_path / "file.txt", "a")
    with atomic_folder(tmp_path / "folder") as part:
        write_text(part / "deep" / "file.txt", "bb")
    assert flushed == [1, 2, 2]
    with atomic_file(tmp_path / "cached.txt", flush=False) as part:
        part.write_text("ccc")
    assert len(flushed) == 3
