"""The real Label Studio and the real backend, started by `dynamite demo`, and a real browser."""

import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from annotator import Annotator
from browser import Browser

from backend.demo import label_studio
from backend.demo.label_studio import VERSION
from backend.demo.project import IMAGES
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.config_writer import OUTPUTS, write
from backend.label_studio.kinds.table import BY_TYPE
from backend.label_studio.labeling_config import parse
from backend.label_studio.served_tags import reaches_accepted, too_new
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / "artifacts" / "e2e"
STARTING = 900

RELEASE = "LABEL_STUDIO"
"""Names another release of Label Studio: `make test-e2e LABEL_STUDIO=1.21.0`."""

KEPT_FOLDER = "DYNAMITE_E2E_FOLDER"
"""Names a folder that keeps Label Studio's data between runs, whose first start takes longest."""


@dataclass
class Demo:
    """What `dynamite demo` started, and what it said."""

    url: str
    backend: str
    email: str
    password: str
    token: str
    task_url: str
    folder: Path
    said: str
    api: LabelStudioApi

    def project(
        self, labels=("Cup", "Cake"), images=("cake",), *, config=None, attach=True, title=None
    ):
        """A new project with the backend attached; its number and those of its tasks."""
        title, config = title or f"Test {time.time_ns()}", config or write(labels)
        if missing := too_new(parse(config), self.release):
            pytest.skip(missing[0])
        body = {"title": title, "label_config": config}
        project = self.api.post("/api/projects", body)["id"]
        for name in images:
            with (IMAGES / f"{name}.jpg").open("rb") as file:
                self.api.post(f"/api/projects/{project}/import", files={f"{name}.jpg": file})
        if attach:
            row = {"project": project, "url": self.backend, "title": "DynaMITE"}
            self.api.post("/api/ml", row | {"is_interactive": True})
        return project, sorted(task["id"] for task in self.api.tasks(project))

    @cached_property
    def release(self):
        """Which Label Studio this is."""
        return self.api.get("/api/version")["release"]

    def submitted(self, task, *, objects):
        """The regions of the one annotation, as soon as it has so many objects."""
        deadline = time.monotonic() + 30
        while True:
            annotations = self.api.get(f"/api/tasks/{task}/annotations")
            kept = [r for one in annotations for r in one["result"] if r["type"] in BY_TYPE]
            found = {one["id"].partition("~")[0] for one in kept}
            if len(found) == objects:
                return kept
            assert time.monotonic() < deadline, f"not {objects} objects, but {found}"
            time.sleep(0.2)


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    kept = os.environ.get(KEPT_FOLDER)
    folder = Path(kept) if kept else tmp_path_factory.mktemp("demo")
    named = os.environ.get("DYNAMITE_LABEL_STUDIO")
    release = os.environ.get(RELEASE, VERSION)
    program = label_studio.executable(ROOT / ".demo", print, named, release)
    port, backend_port = free_port(), free_port()
    command = [sys.executable, "-m", "backend.cli", "demo", "--folder", str(folder)]
    command += ["--label-studio", str(program), "--label-studio-port", str(port)]
    process = subprocess.Popen(
        [*command, "--port", str(backend_port)],
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")))
    reader.start()
    try:
        deadline = time.monotonic() + STARTING
        while not any("Ctrl-C" in line for line in lines):
            assert process.poll() is None, "".join(lines)
            assert time.monotonic() < deadline, "".join(lines)
            time.sleep(0.2)
        said = "".join(lines)
        who = label_studio.login(folder)
        url = f"http://localhost:{port}"
        with LabelStudioApi(url, who.token) as api:
            yield Demo(
                url,
                f"http://127.0.0.1:{backend_port}",
                who.email,
                who.password,
                who.token,
                re.search(r"Open\s+(\S+)", said)[1],
                folder,
                said,
                api,
            )
    finally:
        process.terminate()
        assert process.wait(60) == 0
        reader.join()
        process.stdout.close()


@pytest.fixture(scope="session")
def browser():
    window = Browser()
    yield window
    window.close()


@pytest.fixture(scope="session")
def logged_in(demo, browser):
    reaches = reaches_accepted(demo.release)
    person = Annotator(browser, demo.url, ARTIFACTS, reaches_accepted=reaches)
    person.log_in(demo.email, demo.password)
    return person


@pytest.fixture
def person(logged_in, request):
    """An annotator who is logged in; the page at the end of each test is kept as a picture."""
    yield logged_in
    logged_in.screenshot(request.node.name)


@pytest.fixture
def on_cake(demo, person):
    """A person who has just opened the photo of the cake."""
    project, (task,) = demo.project()
    person.open_task(project, task)
    return person


@pytest.fixture(params=OUTPUTS)
def output(request):
    """A kind of mask."""
    return request.param


@pytest.fixture
def opened(demo, person, output):
    """A person on the photo of the cake, whose masks come as one kind."""
    project, (task,) = demo.project(config=write(["Cake", "Cup"], output=output))
    person.open_task(project, task)
    return person
