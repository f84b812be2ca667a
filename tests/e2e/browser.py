"""Headless Chromium through chromedriver's own protocol (W3C WebDriver): plain HTTP, no library."""

import base64
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import requests

T = TypeVar("T")

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Control": "\ue009", "Alt": "\ue00a", "Backspace": "\ue003", "Escape": "\ue00c"}
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--window-size=1400,1000",
]


class Browser:
    """One browser window."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._driver = subprocess.Popen(
            [shutil.which("chromedriver") or "chromedriver", f"--port={port}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._http = requests.Session()
        self._root = f"http://127.0.0.1:{port}"
        self.until(self._ready, "chromedriver to start")
        options = {"args": FLAGS, "binary": shutil.which("chromium") or ""}
        capabilities = {"alwaysMatch": {"goog:chromeOptions": options}}
        session = self._call("POST", "/session", {"capabilities": capabilities})
        self._root += f"/session/{session['sessionId']}"

    def close(self) -> None:
        try:
            self._call("DELETE", "")
        finally:
            self._http.close()
            self._driver.terminate()
            self._driver.wait(10)

    def open(self, url: str) -> None:
        self._call("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript in the page; ``return`` gives a value back."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def run_first(self, script: str) -> None:
        """Run JavaScript in each page opened from now on, before its own."""
        command = {"cmd": "Page.addScriptToEvaluateOnNewDocument", "params": {"source": script}}
        self._call("POST", "/goog/cdp/execute", command)

    def find(self, css: str) -> Any:
        return self._call("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def type(self, css: str, text: str) -> None:
        self._call("POST", f"/element/{self.find(css)}/value", {"text": text})

    def press(self, key: str, *, hold: str = "") -> None:
        """Press a key, with another held."""
        keys = [KEYS.get(name, name) for name in (hold, key) if name]
        steps = [{"type": "keyDown", "value": one} for one in keys]
        steps += [{"type": "keyUp", "value": one} for one in reversed(keys)]
        self._actions({"type": "key", "id": "keys", "actions": steps})

    def click_at(self, x: float, y: float, *, hold: str = "") -> None:
        """Click at a place of the window, with keys held ("Control", "Alt" or both)."""
        held = [KEYS[name] for name in hold.split("+") if name]
        downs = [{"type": "keyDown", "value": key} for key in held]
        pauses = [{"type": "pause"}] * 3
        ups = [{"type": "keyUp", "value": key} for key in held]
        keys = {"type": "key", "id": "keys", "actions": [*downs, *pauses, *ups]}
        wait = [{"type": "pause"}] * len(held)
        mouse = [
            self._to(x, y),
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self._actions(keys, self._mouse([*wait, *mouse]))

    def double_click_at(self, x: float, y: float) -> None:
        click = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self._actions(self._mouse([self._to(x, y), *click, *click]))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        down, up = {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}
        self._actions(self._mouse([self._to(*start), down, self._to(*middle), self._to(*end), up]))

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))

    def until(self, what: Callable[[], T], says: str, seconds: float = 120) -> T:
        """Wait until ``what()`` is true and return it; fail saying what did not happen."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if value := what():
                    return value
            except (requests.ConnectionError, WebDriverError):
                pass
            time.sleep(0.1)
        raise AssertionError(f"waited {seconds:.0f} s for {says}")

    def _ready(self) -> bool:
        return bool(self._call("GET", "/status")["ready"])

    @staticmethod
    def _to(x: float, y: float) -> dict[str, Any]:
        return {"type": "pointerMove", "duration": 50, "x": round(x), "y": round(y)}

    @staticmethod
    def _mouse(steps: list[dict[str, Any]]) -> dict[str, Any]:
        parameters = {"pointerType": "mouse"}
        return {"type": "pointer", "id": "mouse", "parameters": parameters, "actions": steps}

    def _actions(self, *devices: dict[str, Any]) -> None:
        self._call("POST", "/actions", {"actions": list(devices)})

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        json = body if method == "POST" else None
        answer = self._http.request(method, self._root + path, json=json, timeout=120)
        value = answer.json()["value"]
        if isinstance(value, dict) and "error" in value:
            raise WebDriverError(f"{value['error']}: {value['message'][:500]}")
        return value


class WebDriverError(Exception):
    """The browser could not do what it was asked."""
