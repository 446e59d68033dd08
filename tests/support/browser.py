"""A real browser for tests: chromium without a window, spoken to over its DevTools protocol."""

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
"""Seconds for the browser to start, or for a page to come to what is waited for; a busy machine is slow."""
KEYS = {" ": ("Space", 32), "ArrowLeft": ("", 37), "ArrowUp": ("", 38), "ArrowRight": ("", 39), "ArrowDown": ("", 40)}


class Browser:
    """One page. Everything waits for the browser's answer."""

    def __init__(self, program: str, folder: Path) -> None:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--mute-audio", "--remote-debugging-port=0"]
        options += [f"--user-data-dir={folder}", "--autoplay-policy=no-user-gesture-required", "--no-first-run"]
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen([program, *options, "about:blank"], stderr=self._log, stdout=self._log)
        self._loop = asyncio.new_event_loop()
        self._numbers = itertools.count(1)
        self.events: list[dict[str, Any]] = []
        """What the browser told of its own accord."""
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
        async with self._session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            targets = json.loads(await answer.text())
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
        """Until another document is there."""
        self.evaluate("window.left = true")
        self.ask(method, **params)
        self.wait_for("!window.left && document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, which may be a promise."""
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, f"{expression}: {result['exceptionDetails']}"
        return result["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Until an expression is true."""
        end = time.monotonic() + PATIENCE
        while not self.evaluate(expression):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        """With the mouse, in the middle of the first element there."""
        box = self.evaluate(
            f"(() => {{ const found = document.querySelector({json.dumps(selector)});"
            "found.scrollIntoView({block: 'center'}); const box = found.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def press(self, key: str) -> None:
        code, number = KEYS[key] if key in KEYS else ("", ord(key.upper()))
        fields = {"key": key, "code": code or key, "windowsVirtualKeyCode": number}
        self.ask("Input.dispatchKeyEvent", type="keyDown", text=key if len(key) == 1 else "", **fields)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **fields)

    def complaints(self) -> list[str]:
        """Errors, warnings of the log, and dialogs that something opened."""
        self.evaluate("1")
        told = []
        for event in self.events:
            if event["method"] in ("Runtime.exceptionThrown", "Page.javascriptDialogOpening"):
                told.append(json.dumps(event["params"]))
            elif event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                told.append(event["params"]["entry"]["text"])
        return told

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


async def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "the browser does not answer"
        await asyncio.sleep(0.05)
