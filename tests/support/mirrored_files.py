"""Files of a run as a mirror sends them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from tests.support.faulty_storage import tree, write

TRIAL = "trials/t000"


def checkpoint(step: int, weights: str) -> dict[str, str]:
    """Every file of it tells which one it is, also the marker, which is empty elsewhere."""
    folder = f"{TRIAL}/checkpoints/step-{step:06d}"
    return {f"{folder}/{name}": weights for name in ("adapter.safetensors", "state.json", "COMPLETE")}


BEFORE = {f"{TRIAL}/curve.jsonl": "1\n", **checkpoint(1, "one"), **checkpoint(2, "two")}
AFTER = {
    f"{TRIAL}/curve.jsonl": "1\n2\n3\n",
    **checkpoint(2, "two anew"),
    **checkpoint(3, "three"),
    f"{TRIAL}/second_chance.json": "step-000002",
    f"{TRIAL}/probe/line_00.wav": "a line",
    f"{TRIAL}/outcome.json": "step-000003",
}


def make_it(root: Path, files: dict[str, str]) -> None:
    """These files and no others."""
    for name in tree(root).keys() - files.keys():
        (root / name).unlink()
    write(root, {name: text for name, text in files.items() if tree(root).get(name) != text})


def assert_nothing_is_torn(files: dict[str, str]) -> None:
    for name, text in files.items():
        beside = [other for other in files if PurePosixPath(other).parent == PurePosixPath(name).parent]
        if name.endswith("COMPLETE"):
            assert {files[other] for other in beside} == {text}
            assert len(beside) == 3
    if f"{TRIAL}/outcome.json" in files:
        assert files.items() >= AFTER.items()
