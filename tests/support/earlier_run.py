"""A search, an export and a table that an earlier version of Sweetspot wrote, kept in tests/data/earlier_run."""

from __future__ import annotations

import shutil
from pathlib import Path

from results.run.run_folder import RunFolder
from tests.support.paths import ROOT

DATA = ROOT / "tests" / "data" / "earlier_run"
ADAPTER = DATA / "adapter"
TABLE = DATA / "compare.json"
"""What `python -m results.compare RUN --json` printed then."""
CHECKOUT, FOLDER = "/srv/sweetspot", "/srv/old"
"""Where the checkout and the run lay when they were written; files of the run name both."""


def copy_run(folder: Path, cut_off: bool = False) -> RunFolder:
    """The run under `folder`, with paths as if it had been written there by this checkout.

    `cut_off`: as it was when the same search was killed while its second trial trained.
    """
    shutil.copytree(DATA / "run", folder / "run")
    shutil.copy(DATA / "lines.txt", folder)
    if cut_off:
        shutil.rmtree(folder / "run" / "trials" / "t001")
        shutil.copytree(DATA / "cut_off", folder / "run", dirs_exist_ok=True)
    for path in (folder / "run").rglob("*.json*"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(CHECKOUT, str(ROOT)).replace(FOLDER, str(folder)), encoding="utf-8")
    return RunFolder(folder / "run")
