"""A browser in which a page is clicked through."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.support.browser import NAMES, Browser


@pytest.fixture(scope="module")
def chromium():
    """A browser for a module's tests; where the machine has none they are skipped."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"needs a browser: none of {', '.join(NAMES)} is installed")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(program, Path(folder))
        yield browser
        browser.close()


@pytest.fixture
def browser(chromium, tmp_path):
    """A browser that knows nothing of the test before, and downloads into `tmp_path / "downloads"`."""
    chromium.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "downloads"))
    chromium.ask("Page.navigate", url="about:blank")
    chromium.events.clear()
    return chromium
