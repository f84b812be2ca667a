"""Backends behind HAProxy, as ``deploy/haproxy.cfg`` sets it; one alone is called directly."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import requests
from prometheus_client.parser import text_string_to_metric_families

from backend.launcher.environment import usable_cores
from benchmarks.server import START_SECONDS, Server, free_port

CONFIG = Path(__file__).parents[1] / "deploy" / "haproxy.cfg"

SERVERS = re.compile(r"(?m)(^    server .*\n)+")


class Team:
    """``replicas`` backends with the shipped model, which share the cores and the photos.

    Attributes:
        url: where clicks go.
        photos: the folder of the photos.
    """

    def __init__(self, replicas: int = 1, **settings: object) -> None:
        """Start; ``settings`` are those of each backend, by name.

        Raises:
            RuntimeError: a backend or HAProxy does not start.
        """
        self._stack = ExitStack()
        with ExitStack() as starting:
            folder = Path(starting.enter_context(tempfile.TemporaryDirectory()))
            self.photos = folder / "photos"
            self.photos.mkdir()
            own = {
                "local_files_root": self.photos,
                "torch_threads": max(1, usable_cores() // replicas),
            }
            self.servers = [
                starting.enter_context(Server(with_worker=False, **own | settings))
                for _ in range(replicas)
            ]
            self.url = self.servers[0].url
            if replicas > 1:
                self.url = self._balance(starting, folder)
            self._stack = starting.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def figures(self) -> dict[tuple[str, ...], float]:
        """Return the metrics of all backends, added up, by name and values of labels."""
        total: dict[tuple[str, ...], float] = {}
        for server in self.servers:
            text = requests.get(f"{server.url}/metrics", timeout=30).text
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    key = (sample.name, *sorted(sample.labels.values()))
                    total[key] = total.get(key, 0.0) + sample.value
        return total

    def _balance(self, starting: ExitStack, folder: Path) -> str:
        """Put HAProxy before the backends; return its address."""
        program = shutil.which("haproxy")
        if program is None:
            raise RuntimeError("haproxy is not installed: `apt-get install haproxy`")
        lines = "".join(
            f"    server backend-{number} {server.url.removeprefix('http://')}\n"
            for number, server in enumerate(self.servers, start=1)
        )
        config = folder / "haproxy.cfg"
        config.write_text(SERVERS.sub(lines, CONFIG.read_text()))
        port = free_port()
        process = subprocess.Popen(
            [program, "-f", config],
            env=os.environ
            | {"HAPROXY_BIND": f"127.0.0.1:{port}", "HAPROXY_FIGURES": f"127.0.0.1:{free_port()}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        starting.callback(process.wait)
        starting.callback(process.terminate)
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + START_SECONDS
        while not answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"haproxy does not start: `haproxy -c -f {CONFIG}` says why")
            time.sleep(0.2)
        return url


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=2).ok
    except requests.RequestException:
        return False
