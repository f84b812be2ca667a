"""Label Studio's own codec and checks, which ours are measured by, in an environment of their own.

The SDK holds OpenCV below 4.13, so it is not installed beside what ships.
"""

import base64
import fcntl
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import numpy as np

VERSION = "2.1.2"
HOME = Path(__file__).parents[1] / "build" / f"label-studio-sdk-{VERSION}"
PEER = Path(__file__).with_name("label_studio_sdk_peer.py")


class Sdk:
    """The SDK in a process of its own; close it at the end."""

    def __init__(self) -> None:
        self._peer = subprocess.Popen(
            [environment(), "-I", str(PEER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.seconds = 0.0
        """How long the last call took, without its way here and back."""

    def mask2rle(self, alpha: np.ndarray) -> list[int]:
        """The bytes of a mask, uint8 H×W."""
        array = np.ascontiguousarray(alpha)
        return self._call("mask2rle", base64.b64encode(array.tobytes()).decode(), list(array.shape))

    def decode_rle(self, rle: list[int]) -> np.ndarray:
        """The flat RGBA bytes of a mask."""
        return np.frombuffer(base64.b64decode(self._call("decode_rle", rle)), np.uint8)

    def errors_of_prediction(self, config: str, prediction: dict[str, Any]) -> list[str]:
        """What Label Studio would find wrong with a prediction."""
        return self._call("errors_of_prediction", config, prediction)

    def close(self) -> None:
        self._peer.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, name: str, *values: object) -> Any:
        assert self._peer.stdin is not None
        assert self._peer.stdout is not None
        self._peer.stdin.write(json.dumps([name, *values]) + "\n")
        self._peer.stdin.flush()
        answer = json.loads(self._peer.stdout.readline())
        self.seconds = answer["seconds"]
        return answer["value"]


def environment() -> str:
    """Return the interpreter of the SDK's environment; install it the first time."""
    python = HOME / "bin" / "python"
    stamp = HOME / ".installed"
    HOME.parent.mkdir(exist_ok=True)
    with HOME.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not stamp.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(HOME)], check=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, f"label-studio-sdk=={VERSION}"], check=True)
            stamp.touch()
    return str(python)
