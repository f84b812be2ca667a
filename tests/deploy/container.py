"""A stage of the Dockerfile that runs, as in a container, but without an engine."""

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.deploy.image import Stage, clean
from tests.deploy.replicas import until

NAMESPACES = ("--mount", "--net", "--pid")


class Container:
    """Runs the command of a stage: root read-only, no rights, a network of its own."""

    def __init__(self, stage: Stage, folder: Path, environment: Mapping[str, str]) -> None:
        self._user, self._group = stage.user.split(":")
        self._begin = clean({**stage.environment, **environment}, stage.workdir)
        root, state = folder / "container", folder / "state"
        root.mkdir()
        state.mkdir()
        os.chown(state, int(self._user), int(self._group))
        user = ["--reuid", self._user, "--regid", self._group, "--clear-groups"]
        nobody = ["setpriv", *user, "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
        lines = [
            *stage.mounted(root),
            f"mount -t proc proc {root}/proc",
            *(f"mount -t tmpfs tmpfs {root}{place}" for place in ("/tmp", "/dev/shm")),
            f"mount --bind {state} {root}/state",
            "ip link set lo up",
            "exec " + shlex.join(["chroot", str(root), *nobody, *self._begin, *stage.command]),
        ]
        self._log = (folder / "log").open("w+")
        self._process = subprocess.Popen(
            ["unshare", *NAMESPACES, "--fork", "--kill-child", "sh", "-euc", "\n".join(lines)],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        number = self._process.pid
        children = Path(f"/proc/{number}/task/{number}/children")
        until(children.read_text)
        self._first = int(children.read_text().split()[0])

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as ``docker exec``."""
        enter = ["nsenter", "--target", str(self._first), *NAMESPACES, "--root"]
        user = ["--setuid", self._user, "--setgid", self._group]
        return subprocess.run(
            [*enter, *user, *self._begin, *words], capture_output=True, text=True, check=False
        )

    def stop(self) -> int:
        """Ask it to stop, as ``docker stop``, and return its status."""
        os.kill(self._first, signal.SIGTERM)
        return self._process.wait(30)

    def kill(self) -> None:
        """End all of it."""
        self._process.kill()
        self._process.wait()
        self._log.close()

    @property
    def log(self) -> str:
        """What it has written."""
        self._log.seek(0)
        return self._log.read()
