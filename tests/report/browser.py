"""Chromium over its DevTools pipe: opens one page, runs expressions in it, and remembers what it complained about."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

__all__ = ["Browser", "chromium"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PATIENCE = 90.0


def chromium() -> str | None:
    """The path of a Chromium or Chrome, None where there is none."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


class Browser:
    """One headless browser with one page."""

    def __init__(self, program: str, profile: Path) -> None:
        ours_in, self._out = os.pipe()
        self._in, ours_out = os.pipe()
        # the browser reads commands from descriptor 3 and answers on 4
        command = (
            f'exec "$0" --headless --no-sandbox --disable-gpu --no-first-run --remote-debugging-pipe'
            f' --user-data-dir="$1" --window-size=1400,1000 about:blank 3<&{ours_in} 4>&{ours_out}'
        )
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", command, program, str(profile)],
            pass_fds=(ours_in, ours_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(ours_in)
        os.close(ours_out)
        self._buffer = b""
        self._number = 0
        self.complaints: list[str] = []
        self.requests: list[str] = []
        targets = self._call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self._call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.do(f"{domain}.enable")

    def open(self, path: Path) -> None:
        """Load a file and wait until its script has run to its end, or has failed."""
        self.complaints.clear()
        self.requests.clear()
        self.do("Page.navigate", url=path.as_uri())
        until = time.monotonic() + _PATIENCE
        while self.run("document.readyState") != "complete":
            assert time.monotonic() < until, "the page does not load"

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        said = self.do(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def press(self, key: str) -> None:
        """One key on the keyboard, at what has the focus."""
        code = {"Tab": 9, "Enter": 13}.get(key, ord(key[0]))
        text = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
        self.do("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text)
        self.do("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def close(self) -> None:
        """End the browser that was started here."""
        os.close(self._out)  # it ends when nobody can command it any more
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)

    def do(self, method: str, **values: Any) -> dict[str, Any]:
        """One command of the DevTools protocol to the page, and its answer."""
        return self._call(method, self._session, **values)

    def _call(self, method: str, session: str = "", /, **values: Any) -> dict[str, Any]:
        self._number += 1
        message = {
            "id": self._number,
            "method": method,
            "params": values,
            **({"sessionId": session} if session else {}),
        }
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            said = self._next()
            if said.get("id") == self._number:
                assert "error" not in said, f"{method}: {said['error']}"
                result: dict[str, Any] = said["result"]
                return result
            self._note(said.get("method", ""), said.get("params", {}))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            piece = os.read(self._in, 1 << 16)
            assert piece, "the browser has gone"
            self._buffer += piece
        message, _, self._buffer = self._buffer.partition(b"\0")
        value: dict[str, Any] = json.loads(message)
        return value

    def _note(self, event: str, said: dict[str, Any]) -> None:
        if event == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(said["exceptionDetails"]))
        elif event == "Log.entryAdded":
            self.complaints.append(said["entry"]["text"])
        elif event == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(said["args"]))
        elif event == "Page.javascriptDialogOpening":
            self.complaints.append(f"dialog: {said['message']}")
        elif event == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
