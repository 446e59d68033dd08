"""A browser for tests of the listening page."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.support.browser import NAMES, Browser


@pytest.fixture(scope="module")
def chromium():
    """One browser for the tests of a module; they are skipped on a machine without one."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"needs a browser: none of {', '.join(NAMES)} is installed")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(program, Path(folder))
        yield browser
        browser.close()


@pytest.fixture
def browser(chromium, tmp_path):
    """The browser without the state of earlier tests; it downloads into `tmp_path / "downloads"`."""
    chromium.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "downloads"))
    chromium.ask("Page.navigate", url="about:blank")
    chromium.events.clear()
    return chromium
