"""The demo from start to stop."""

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.demo import label_studio
from backend.demo.project import prepare
from backend.label_studio.access import configured_access, keep
from backend.label_studio.api import LabelStudioApi
from backend.launcher.banner import address
from backend.launcher.preflight import StartError, check_port, locked
from backend.launcher.serve import started
from backend.settings import Settings, load, variable


def run(folder: Path, port: int, tell: Callable[[str], Any] = print) -> None:
    """Install, start, set up, say where, and run until Ctrl-C.

    Raises:
        StartError: a demo runs in this folder already, or a port cannot be had.
        DemoError: Label Studio cannot be installed, started or set up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "demo.lock", already_running(folder)):
        run_alone(folder, port, tell)


def already_running(folder: Path) -> str:
    """What to say to who starts a second demo in one folder."""
    return (
        f"a demo runs in the folder {folder} already; stop it, or name another folder with "
        "--folder (and other ports with --port and --backend-port)"
    )


def run_alone(folder: Path, port: int, tell: Callable[[str], Any]) -> None:
    """Run the demo in a folder that no other one uses."""
    who = label_studio.login(folder)
    url = f"http://localhost:{port}"
    os.environ[variable("label_studio_url")] = url
    os.environ[variable("label_studio_api_key")] = who.token
    if not os.environ.get(variable("state_dir")):
        os.environ[variable("state_dir")] = str(folder / "state")
    settings = load()
    check_ports(settings, port)
    program = label_studio.executable(folder, tell)
    tell("Starting the backend and Label Studio (half a minute on the first run) …")
    with started(settings, tell) as (supervisor, _):
        keep(configured_access(settings), settings)  # for `dynamite doctor` and its like
        process = supervisor.add(label_studio.child(program, folder, port, who))
        label_studio.wait(url, process)
        with LabelStudioApi(url, who.token) as api:
            project = prepare(api, settings)
            task = next(api.tasks(project))["id"]
        check = (
            f"{variable('state_dir')}={shlex.quote(str(settings.state_dir))} "
            f"{shlex.quote(program_name())} doctor --project {project} "
            f"--backend {address(settings)}"
        )
        tell(invitation(f"{url}/projects/{project}/data?task={task}", who, check))
        supervisor.watch(tell)


def check_ports(settings: Settings, port: int) -> None:
    """Raise ``StartError`` unless the backend and Label Studio, on ``port``, could both listen."""
    if settings.port == port:
        raise StartError(
            f"--port and --backend-port (or {variable('port')}) are both {port}: "
            "Label Studio and the backend need one each"
        )
    check_port(settings.host, settings.port, f"--backend-port or {variable('port')}")
    check_port("127.0.0.1", port, "--port (of Label Studio)")


def program_name() -> str:
    """How to call ``dynamite`` from here."""
    return os.path.relpath(Path(sys.executable).with_name("dynamite"))


def invitation(task_url: str, who: label_studio.Login, check: str) -> str:
    """What to open, what to do there, and the command that says whether all is well."""
    return "\n".join(
        [
            "",
            f"  Open      {task_url}",
            f"  log in    {who.email}",
            f"  password  {who.password}",
            "",
            "  Then switch Auto-Annotation on (below the image), choose the magic point (top right",
            "  of the image), then a label, and click on an object. Another label, another object:",
            "  all masks are answered together. Alt-click says “not this”.",
            "",
            "  Is something wrong? This says what:",
            "",
            f"    {check}",
            "",
            "  Ctrl-C stops everything; the next start is quick.",
        ]
    )
