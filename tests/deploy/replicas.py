"""Backends behind a real HAProxy on loopback: real web servers, with discs for masks."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from tests.backend.session.page_model import HEIGHT, WIDTH, Page, Server
from tests.ports import free_port

HAPROXY = shutil.which("haproxy")
CONFIG = Path(__file__).parents[2] / "deploy" / "haproxy.cfg"
START_SECONDS = 120.0

BACKEND = f"""
from backend import composition, settings
from backend.jobs.job_queue import JobQueue
from backend.label_studio.ingest.job_names import EVENT_JOB
from backend.launcher.web import WebApplication
from backend.logs import log_from
from backend.memory.adapting import with_memory
from backend.memory.project_models import ProjectModels
from backend.serving.engine import Engine, Model
from backend.serving.error_journal import ErrorJournal
from backend.serving.meters import Meters
from backend.features.cache import FeatureCache
from backend.settings.folders import memory_folder
from backend.settings.log_options import log_options
from tests.fakes import DiscFeatures, DiscPredictor, Photos
from training.memory.kept import KeptMemories

class Discs(WebApplication):
    def load(self):
        meters = Meters()
        cache = FeatureCache(
            load=DiscFeatures.from_bytes,
            folder=self.settings.features_dir,
            memory_bytes=10**8,
            disk_bytes=10**8,
            may_make_folder=False,
        )
        model = Model(DiscPredictor(), "discs-1", "cpu")
        kept = KeptMemories(memory_folder(self.settings))
        self._backend = composition.assemble(
            self.settings,
            engine=Engine(model, cache, meters.observe),
            cache=cache,
            queue=JobQueue(self.settings.queue_url, self.settings.state_dir / "spool", EVENT_JOB),
            journal=ErrorJournal(),
            meters=meters,
            memories=ProjectModels(kept, lambda: model, with_memory),
        )
        self._backend.label_studio.connection.images.use(Photos({HEIGHT}, {WIDTH}))
        return self._backend.app

values = settings.load()
log_from(**log_options(values))
Discs(values).run()
"""


class Replica:
    """One backend: a process on a port of its own."""

    def __init__(
        self, folder: Path, queue_url: str, drain_seconds: float, features: Path, **settings: str
    ) -> None:
        self.port = free_port()
        folder.mkdir()
        self.log = folder / "log"
        self._environment = os.environ | {
            "DYNAMITE_PORT": str(self.port),
            "DYNAMITE_STATE_DIR": str(folder),
            "DYNAMITE_FEATURES_DIR": str(features),
            "DYNAMITE_DRAIN_SECONDS": str(drain_seconds),
            "REDIS_URL": queue_url,
        }
        self._environment |= {f"DYNAMITE_{name.upper()}": text for name, text in settings.items()}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        root = Path(__file__).parents[2]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", BACKEND], env=self._environment, cwd=root, stderr=log
            )

    def say(self, number: int) -> None:
        """Send a signal to all its processes, as a machine that fails, or a supervisor's stop."""
        assert self.process is not None
        if number == signal.SIGKILL:
            for child in children(self.process.pid):
                os.kill(child, number)
        self.process.send_signal(number)

    def encodes(self) -> int:
        """How many images it has encoded since its start."""
        found = re.search(r"(?m)^dynamite_cache_misses_total (\S+)", get(self.port, "/metrics"))
        assert found is not None
        return int(float(found[1]))

    def health(self) -> tuple[int, str] | None:
        """The status of /health and the word in it; None while nothing listens."""
        return health(self.port)

    def stop(self) -> None:
        """Kill it, and show its log if a test fails."""
        if self.log.exists():
            sys.stderr.write(self.log.read_text())
        if self.process is not None and self.process.poll() is None:
            self.say(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(60)


class Team:
    """Backends behind HAProxy. ``served_by`` is the backend that answered each task last."""

    def __init__(
        self,
        folder: Path,
        queue_url: str,
        replicas: int = 3,
        drain_seconds: float = 4.0,
        **settings: str,
    ) -> None:
        self.port = free_port()
        self._folder, self._queue_url, self._drain_seconds = folder, queue_url, drain_seconds
        self._settings = settings
        (folder / "features").mkdir()
        self.figures_port = free_port()
        self.log = folder / "haproxy.log"
        self.replicas: dict[str, Replica] = {}
        for _ in range(replicas):
            self._another()
        self._haproxy: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        for replica in self.replicas.values():
            replica.start()
        for replica in self.replicas.values():
            until(lambda replica=replica: replica.health() is not None)
        environment = os.environ | {
            "HAPROXY_BIND": f"127.0.0.1:{self.port}",
            "HAPROXY_FIGURES": f"127.0.0.1:{self.figures_port}",
        }
        command = [HAPROXY, "-W", "-f", self._write_config()]  # -W: a master, as systemd runs it
        with self.log.open("ab") as log:
            self._haproxy = subprocess.Popen(command, env=environment, stdout=log)
        until(lambda: health(self.port) is not None)

    def add(self) -> str:
        """Start another backend, and have HAProxy reload its file with a line for it."""
        name = self._another()
        self.replicas[name].start()
        until(lambda: self.replicas[name].health() is not None)
        self._write_config()
        assert self._haproxy is not None
        self._haproxy.send_signal(signal.SIGUSR2)
        return name

    def encodes(self) -> int:
        """How many images the backends that run have encoded."""
        return sum(one.encodes() for one in self.replicas.values() if one.health() is not None)

    def stop(self) -> None:
        if self._haproxy is not None:
            self._haproxy.terminate()
            self._haproxy.wait()
        for replica in self.replicas.values():
            replica.stop()

    def predict(self, body: dict) -> tuple[int, dict, str]:
        """Send a call; its status, the answer, and the backend that answered."""
        return post(self.port, body)

    def _another(self) -> str:
        name = f"backend-{len(self.replicas) + 1}"
        folder, features = self._folder / name, self._folder / "features"
        self.replicas[name] = Replica(
            folder, self._queue_url, self._drain_seconds, features, **self._settings
        )
        return name

    def _write_config(self) -> Path:
        """Write the file that ships, with these backends."""
        config = self._folder / "haproxy.cfg"
        ours = "".join(
            f"    server {name} 127.0.0.1:{replica.port}\n"
            for name, replica in self.replicas.items()
        )
        config.write_text(re.sub(r"(?m)(^    server .*\n)+", ours, CONFIG.read_text()))
        return config


class Annotator:
    """One person on a task, who clicks on two objects in turn.

    ``saves``: the draft is saved after each click; else never, as in the first five seconds.
    """

    def __init__(self, team: Team, task: int, *, saves: bool = True) -> None:
        self.task = task
        self.failures: list[object] = []
        self.served_by: list[str] = []
        self.ids: set[frozenset[str]] = set()
        self._team = team
        self._page = Page(Server(task=task), self._send, instant_save=saves)
        self._clicks = 0

    def click(self) -> str:
        """Click once; the backend that answered."""
        label, x = (("A", 20), ("B", 70))[self._clicks % 2]
        self._clicks += 1
        regions = self._page.click(label, x + self._clicks % 5, 30)
        if self._clicks >= 2:
            names = {(region["value"]["brushlabels"][0], region["id"]) for region in regions}
            self.ids.add(frozenset(f"{label} {name}" for label, name in names))
        return self.served_by[-1]

    def _send(self, body: dict) -> list[dict]:
        status, answer, name = self._team.predict(body)
        self.served_by.append(name)
        if status != 200:
            self.failures.append((status, answer))
            return list(self._page.suggestions.values())
        return answer["results"][0]["result"]


class Load:
    """People who click without a pause, until the block ends."""

    def __init__(self, annotators: list[Annotator], at_once: int = 3) -> None:
        self._stop = threading.Event()
        self._errors: list[BaseException] = []
        self.clicks = 0
        self._threads = [
            threading.Thread(target=self._work, args=(annotators[n::at_once],))
            for n in range(at_once)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def more(self, count: int) -> None:
        """Wait for so many more clicks."""
        wanted = self.clicks + count
        until(lambda: self.clicks >= wanted or bool(self._errors))

    def _work(self, annotators: list[Annotator]) -> None:
        try:
            while not self._stop.is_set():
                for annotator in annotators:
                    annotator.click()
                    self.clicks += 1
        except BaseException as error:
            self._errors.append(error)


def post(port: int, body: dict, path: str = "/predict") -> tuple[int, dict, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        raw = answer.read()
        is_json = answer.headers.get_content_type() == "application/json"
        words = json.loads(raw) if is_json else {"page": raw.decode()}
        return answer.status, words, str(answer.headers["X-Served-By"])
    finally:
        connection.close()


def get(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def health(port: int) -> tuple[int, str] | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        return answer.status, str(json.loads(answer.read()).get("status"))
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def children(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children")
    with suppress(FileNotFoundError):
        return [int(one) for one in found.read_text().split()]
    return []


def until(is_true) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
