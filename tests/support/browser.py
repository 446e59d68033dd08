"""A browser for tests: headless chromium, controlled by the DevTools protocol."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60.0
"""Seconds that the browser may take to start, and a page to reach an expected state, also on a busy machine."""
KEYS = {" ": ("Space", 32), "ArrowLeft": ("", 37), "ArrowUp": ("", 38), "ArrowRight": ("", 39), "ArrowDown": ("", 40)}


class Browser:
    """One page. Every method waits for the browser's reply."""

    def __init__(self, program: str, folder: Path) -> None:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--mute-audio", "--remote-debugging-port=0"]
        options += [f"--user-data-dir={folder}", "--autoplay-policy=no-user-gesture-required", "--no-first-run"]
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen([program, *options, "about:blank"], stderr=self._log, stdout=self._log)
        self._loop = asyncio.new_event_loop()
        self._numbers = itertools.count(1)
        self.events: list[dict[str, Any]] = []
        """Events that the browser sent."""
        try:
            self._loop.run_until_complete(self._connect(folder / "DevToolsActivePort"))
            for domain in ("Page", "Runtime", "Log"):
                self.ask(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    async def _connect(self, port_file: Path) -> None:
        await _until(lambda: port_file.is_file() and len(port_file.read_text().split()) == 2)
        port = port_file.read_text().split()[0]
        self._session = aiohttp.ClientSession()
        async with self._session.get(f"http://127.0.0.1:{port}/json/list") as response:
            targets = json.loads(await response.text())
        address = next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page")
        self._socket = await self._session.ws_connect(address, max_msg_size=0)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        return self._loop.run_until_complete(self._ask(method, params))

    async def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            message = json.loads((await asyncio.wait_for(self._socket.receive(), PATIENCE)).data)
            if message.get("id") != number:
                self.events.append(message)
                continue
            assert "error" not in message, f"{method}: {message['error']}"
            return message["result"]

    def open(self, file: Path) -> None:
        self._leave("Page.navigate", url=file.resolve().as_uri())

    def reload(self) -> None:
        self._leave("Page.reload")

    def _leave(self, method: str, **params: Any) -> None:
        """Sends a command that loads a document, and waits until the document is complete."""
        self.evaluate("window.left = true")
        self.ask(method, **params)
        self.wait_for("!window.left && document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, which may be a promise."""
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, f"{expression}: {result['exceptionDetails']}"
        return result["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Waits until an expression is true."""
        end = time.monotonic() + PATIENCE
        while not self.evaluate(expression):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        """Clicks with the mouse in the middle of the first element that matches, once its position is stable."""
        expression = (
            f"(() => {{ const found = document.querySelector({json.dumps(selector)});"
            "found.scrollIntoView({block: 'center'}); const box = found.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        position = None
        while (measured := self.evaluate(expression)) != position:
            position = measured
            time.sleep(0.05)
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=measured[0], y=measured[1], button="left", clickCount=1)

    def press(self, key: str) -> None:
        code, number = KEYS[key] if key in KEYS else ("", ord(key.upper()))
        fields = {"key": key, "code": code or key, "windowsVirtualKeyCode": number}
        self.ask("Input.dispatchKeyEvent", type="keyDown", text=key if len(key) == 1 else "", **fields)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **fields)

    def complaints(self) -> list[str]:
        """Exceptions, errors in the log, and dialogs that were opened."""
        self.evaluate("1")
        found = []
        for event in self.events:
            if event["method"] in ("Runtime.exceptionThrown", "Page.javascriptDialogOpening"):
                found.append(json.dumps(event["params"]))
            elif event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                found.append(event["params"]["entry"]["text"])
        return found

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if hasattr(self, "_session"):
            self._loop.run_until_complete(self._session.close())
        self._loop.close()
        self._log.close()


async def _until(is_true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_true():
        assert time.monotonic() < end, "the browser does not answer"
        await asyncio.sleep(0.05)
