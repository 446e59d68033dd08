"""Makes the README's pictures from a run.

    make pictures                        runs a search on the demo voice first
    python -m docs.pictures RUN          uses an existing run

Writes docs/search.png (the overview picture), docs/page.png (the listening page) and docs/tensorboard.png (the curves
with their bands). Needs chromium.
"""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from results.report.page import write_report
from results.report.picture import draw_search
from results.run.run_folder import RunFolder
from tests.support.browser import NAMES, Browser

DOCS = Path(__file__).parent
WIDTH, HEIGHT = 1440, 900
PATIENCE_SECONDS = 90.0
SETTLING_SECONDS = 15.0
"""TensorBoard draws its charts one after the other, and gives no sign when it has finished."""


def main(run: Path) -> None:
    """Draw the pictures of a run into docs/."""
    folder = RunFolder(run.resolve())
    shutil.copyfile(draw_search(folder), DOCS / "search.png")
    page = write_report(folder)
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        typer.secho(f"expected a browser, one of {', '.join(NAMES)}; install chromium", err=True, fg="red")
        raise typer.Exit(2)
    with browser(program) as window:
        window.ask("Page.navigate", url=page.as_uri() + "#side")
        window.wait_for("document.readyState === 'complete' && document.querySelector('.line') !== null")
        shoot(window, DOCS / "page.png")
        with tensorboard(folder.tensorboard) as address:
            window.ask("Page.navigate", url=f"{address}/#custom_scalars")
            window.wait_for("document.title === 'TensorBoard'")
            # TensorBoard reads the fragment of the address only on load.
            window.reload()
            time.sleep(SETTLING_SECONDS)
            shoot(window, DOCS / "tensorboard.png")


@contextmanager
def browser(program: str) -> Iterator[Browser]:
    """A browser window of WIDTH × HEIGHT pixels."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        window = Browser(program, Path(folder))
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        try:
            window.ask("Emulation.setDeviceMetricsOverride", **size)
            yield window
        finally:
            window.close()


@contextmanager
def tensorboard(folder: Path) -> Iterator[str]:
    """Runs a TensorBoard server, and yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # TensorBoard shows the name of the folder as it was given.
    options = ["--logdir", folder.name, "--host", "127.0.0.1", "--port", str(port)]
    command = [sys.executable, "-m", "tensorboard.main", *options]
    server = subprocess.Popen(command, cwd=folder.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not answers(address):
            if time.monotonic() > deadline:
                raise TimeoutError(f"TensorBoard does not answer at {address} within {PATIENCE_SECONDS:.0f} s")
            time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait()


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def shoot(window: Browser, file: Path) -> None:
    """Writes a screenshot of the window as PNG."""
    file.write_bytes(base64.b64decode(window.ask("Page.captureScreenshot", format="png")["data"]))
    typer.echo(f"{file}: {file.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    typer.run(main)
