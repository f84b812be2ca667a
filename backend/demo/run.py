"""Runs the demo from start to stop."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.demo import label_studio
from backend.demo.project import FIRST_CLICKS, prepare
from backend.label_studio.access import configured_access, keep
from backend.label_studio.api import LabelStudioApi
from backend.launcher.banner import CLICKING, address
from backend.launcher.preflight import StartError, check_port, locked
from backend.launcher.serve import started
from backend.own_command import own_command
from backend.settings import Settings, load, variable


def run(
    folder: Path, port: int, tell: Callable[[str], Any] = print, *, program: str | None = None
) -> None:
    """Install and start everything, print where to click, and run until Ctrl-C.

    Args:
        folder: For Label Studio, its data and the demo's login.
        port: Of Label Studio.
        tell: Prints a line.
        program: Name or path of an installed ``label-studio``; None to install one.

    Raises:
        StartError: A demo already runs in this folder, or a port is taken.
        DemoError: Label Studio cannot be installed, started or set up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "demo.lock", already_running(folder)):
        run_locked(folder, port, tell, program)


def already_running(folder: Path) -> str:
    """Return the message for a second demo in the same folder."""
    return (
        f"a demo already runs in the folder {folder}; stop it, or choose another folder with "
        "--folder (and other ports with --port and --label-studio-port)"
    )


def run_locked(folder: Path, port: int, tell: Callable[[str], Any], named: str | None) -> None:
    """Run the demo in a folder that is locked."""
    user = label_studio.login(folder)
    url = f"http://localhost:{port}"
    os.environ[variable("label_studio_url")] = url
    os.environ[variable("label_studio_api_key")] = user.token
    if not os.environ.get(variable("state_dir")):
        os.environ[variable("state_dir")] = str(folder / "state")
    settings = load()
    check_ports(settings, port)
    program = label_studio.executable(folder, tell, named)
    tell("Starting the backend and Label Studio (half a minute on the first run) …")
    with started(settings, tell) as (supervisor, _):
        keep(configured_access(settings), settings)  # for `dynamite doctor` and other commands
        process = supervisor.add(label_studio.child(program, folder, port, user))
        label_studio.wait(url, process)
        with LabelStudioApi(url, user.token) as api:
            project = prepare(api, settings)
            task = next(api.tasks(project))["id"]
        check = (
            f"{variable('state_dir')}={shlex.quote(str(settings.state_dir))} "
            f"{shlex.quote(own_command())} doctor --project {project} "
            f"--backend {address(settings)}"
        )
        tell(instructions(f"{url}/projects/{project}/data?task={task}", user, check))
        supervisor.watch(tell)


def check_ports(settings: Settings, port: int) -> None:
    """Check that the backend could listen, and Label Studio on ``port``.

    Raises:
        StartError: One of them could not.
    """
    if settings.port == port:
        raise StartError(
            f"--port (or {variable('port')}) and --label-studio-port are both {port}: "
            "Label Studio and the backend need different ports"
        )
    check_port(settings.host, settings.port, f"--port or {variable('port')} (make demo PORT=…)")
    check_port("127.0.0.1", port, "--label-studio-port (make demo LABEL_STUDIO_PORT=…)")


def instructions(task_url: str, user: label_studio.Login, check: str) -> str:
    """Return what to open, what to do there, and the command that checks the connection."""
    return "\n".join(
        [
            "",
            f"  Open      {task_url}",
            f"  log in    {user.email}",
            f"  password  {user.password}",
            "",
            "  Then:",
            *(f"    {line}" for line in CLICKING),
            "",
            "  Clicks to begin with, on the cat and the two remote controls:",
            *(f"    {line}" for line in FIRST_CLICKS),
            "",
            "  If something does not work, run:",
            "",
            f"    {check}",
            "",
            "  Ctrl-C stops everything; the next start is quick.",
        ]
    )
