"""Installs Label Studio into its own environment and starts it for the demo."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import requests

from backend.fetch.session import Session
from backend.launcher.children import Child
from dynamite.errors import DynamiteError

VERSION = "1.23.2"
START_SECONDS = 600.0


class DemoError(DynamiteError):
    """Label Studio cannot be installed, started or set up."""


@dataclass(frozen=True)
class Login:
    """The demo's one user."""

    email: str
    password: str
    token: str


def login(folder: Path) -> Login:
    """Return the login kept in the demo's folder; generate it on the first run."""
    path = folder / "login.json"
    try:
        return Login(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        made = Login("demo@example.com", secrets.token_urlsafe(9), secrets.token_hex(20))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(made)), encoding="utf-8")
        return made


def executable(
    folder: Path, tell: Callable[[str], Any], named: str | None = None, version: str = VERSION
) -> Path:
    """Return the ``label-studio`` to run; install it into the demo's folder if necessary.

    Args:
        folder: Of the demo.
        tell: Prints a line.
        named: Name or path of an installed one, to use instead.
        version: To install. Another than the demo's gets an environment of its own.

    Raises:
        DemoError: pip fails, or there is nothing of that name that can be run.
    """
    if named:
        found = shutil.which(Path(named).expanduser())
        if found is None:
            raise DemoError(f"--label-studio {named}: there is no such program that can be run")
        return Path(found)
    home = folder / ("venv" if version == VERSION else f"venv-{version}")
    stamp = home / f".label-studio-{version}"
    if not stamp.exists():
        tell(f"Installing Label Studio {version} into {home}, once: about 1 GB, a few minutes.")
        run([sys.executable, "-m", "venv", str(home)])
        pip = [str(home / "bin" / "python"), "-m", "pip", "install"]
        run([*pip, "--disable-pip-version-check", f"label-studio=={version}"])
        stamp.touch()
    return home / "bin" / "label-studio"


def run(command: list[str]) -> None:
    """Run a command, which shows its own progress.

    Raises:
        DemoError: It fails, after it has said why.
    """
    if status := subprocess.run(command, check=False).returncode:  # noqa: S603
        raise DemoError(
            f"Label Studio cannot be installed, for the reason above: {' '.join(command)} ended "
            f"with status {status}"
        )


def child(program: Path, folder: Path, port: int, user: Login) -> Child:
    """Return Label Studio as a child process that contacts no other machine."""
    command = [str(program), "start", "--no-browser", "--internal-host", "127.0.0.1"]
    return Child(
        "Label Studio",
        [*command, "--port", str(port)],
        environment(folder, user),
        output=folder / "label-studio.log",
    )


def environment(folder: Path, user: Login) -> dict[str, str]:
    """Return variables to start Label Studio unattended and let it accept a local backend."""
    own = {
        "LABEL_STUDIO_BASE_DATA_DIR": str((folder / "label-studio").resolve()),
        "LABEL_STUDIO_USERNAME": user.email,
        "LABEL_STUDIO_PASSWORD": user.password,
        "LABEL_STUDIO_USER_TOKEN": user.token,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "COLLECT_ANALYTICS": "0",
        "LATEST_VERSION_CHECK": "0",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        # Both guards refuse local addresses, so no local backend could be connected.
        "ML_BLOCK_LOCAL_IP": "false",
        "SSRF_PROTECTION_ENABLED": "false",
    }
    ours = ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY", "PYTHONPATH", "REDIS_URL")
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    return inherited | own


def wait(url: str, process: Child) -> None:
    """Wait until Label Studio answers.

    Raises:
        DemoError: It ended or took too long; the message names its log.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.status is not None:
            raise DemoError(f"Label Studio ended while starting; its log is {process.output}")
        try:
            with Session() as session:
                session.get(f"{url}/health", timeout=2).raise_for_status()
        except requests.RequestException:
            time.sleep(0.3)
        else:
            return
    raise DemoError(f"Label Studio did not answer; its log is {process.output}")
