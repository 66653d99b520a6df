"""A headless Chromium that tests drive: the DevTools protocol over a pair of pipes, with the standard library alone."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--hide-scrollbars",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-pipe",
)
# A browser reads from its descriptor 3 and writes to 4; ours are copied there by way of others, lest one be lost.
LAUNCHER = """import os, sys
ours = [os.dup(os.dup(os.dup(int(number)))) for number in sys.argv[1:3]]
for number, place in zip(ours, (3, 4)): os.dup2(number, place)
os.execv(sys.argv[3], sys.argv[3:])"""
SECONDS = 60.0


def find_browser() -> str | None:
    """The path of a Chromium or Chrome, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Page:
    """One tab."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self.to_browser, self.from_browser = to_browser, from_browser
        self.session: str | None = None
        self.number, self.left = 0, b""
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command, wait for its answer; events that come meanwhile are kept in `events`."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        text = json.dumps(message).encode() + b"\0"
        while text:
            text = text[os.write(self.to_browser, text) :]
        while (answer := self._next()).get("id") != self.number:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def wait(self, method: str) -> None:
        """Until an event of that name has come that no call of `wait` has taken yet."""
        while not (found := [event for event in self.events if event.get("method") == method]):
            self.events.append(self._next())
        self.events.remove(found[0])

    def do(self, code: str) -> Any:
        """What an expression, or the promise that it is, comes to; raises RuntimeError for what it throws."""
        result = self.call("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    def open(self, path: Path) -> None:
        """Load a file and wait until every player on it is ready."""
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.wait("Page.loadEventFired")
        self.do("Promise.all(eventPlayers.map((player) => player.ready)).then(() => 0)")

    def size(self, width: int, height: int, scale: float = 1) -> None:
        """Size of the window in CSS pixels, and how many of the screen's pixels one is wide."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )

    def key(self, key: str, shift: bool = False) -> None:
        """Press and release, as a keyboard would."""
        code = {"key": key, "modifiers": 8 if shift else 0}
        if len(key) == 1:
            code["text"] = key
        self.call("Input.dispatchKeyEvent", type="keyDown", **code)
        self.call("Input.dispatchKeyEvent", type="keyUp", **code)

    def mouse(self, kind: str, x: float, y: float, buttons: int = 0) -> None:
        """kind: mousePressed, mouseMoved or mouseReleased; buttons: 1 while the left one is down."""
        button = "none" if kind == "mouseMoved" and not buttons else "left"
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, buttons=buttons, clickCount=1)

    def picture(self, whole: bool = False) -> bytes:
        """A PNG of what the window shows, or of the whole page."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"])

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + SECONDS
        while b"\0" not in self.left:
            if not select.select([self.from_browser], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TimeoutError(f"the browser was silent for {SECONDS:.0f} s")
            more = os.read(self.from_browser, 1 << 20)
            if not more:
                raise RuntimeError("the browser ended")
            self.left += more
        message, _, self.left = self.left.partition(b"\0")
        return json.loads(message)


@contextmanager
def browsing(program: str, folder: Path) -> Iterator[Page]:
    """A browser with one tab; it keeps what it must in `folder` and ends with the block."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    command = [sys.executable, "-ISc", LAUNCHER, str(to_read), str(from_write), program, *FLAGS]
    command += [f"--user-data-dir={folder / 'profile'}", "about:blank"]
    process = subprocess.Popen(
        command, pass_fds=(to_read, from_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(to_read)
    os.close(from_write)
    page = Page(to_write, from_read)
    try:
        targets = page.call("Target.getTargets")["targetInfos"]
        tab = next(target["targetId"] for target in targets if target["type"] == "page")
        page.session = page.call("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        page.call("Page.enable")
        yield page
    finally:
        os.close(to_write)
        os.close(from_read)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
