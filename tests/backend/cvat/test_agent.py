"""The function of agents, run by the real ``cvat-cli`` against a fake server."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import backend
from backend.cvat import rle
from tests.backend.cvat.fake_cvat import PERSONAL, FakeCvat

PHOTO = Path(backend.__file__).parent / "demo_images" / "two-cats.jpg"
LEFT, RIGHT = (192, 261), (440, 261)
FUNCTION = ["--function-module", "backend.cvat.agent", "-p", "preset=str:lite"]

pytestmark = pytest.mark.slow


@pytest.fixture
def fake():
    with Image.open(PHOTO) as photo:
        server = FakeCvat(photo.size[::-1])
    server.add_task(1, frames=2)
    server.frames[1, 0] = PHOTO.read_bytes()
    yield server
    server.close()


@contextmanager
def cvat_cli(fake, *words):
    own = {"CVAT_ACCESS_TOKEN": PERSONAL, "OMP_NUM_THREADS": "1"}
    host, _, port = fake.url.rpartition(":")
    program = Path(sys.executable).with_name("cvat-cli")
    command = [program, "--server-host", host, "--server-port", port, "function", *words]
    with subprocess.Popen(
        command, env=os.environ | own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run(fake, *words):
    with cvat_cli(fake, *words) as process:
        said, _ = process.communicate(timeout=200)
    assert process.returncode == 0, said
    return said


def masks(fake, name):
    end, shapes = fake.agents.ended[name]
    assert end == "complete", shapes
    for one in shapes:
        assert one["type"] == "mask" and 0 <= float(one["attributes"][0]["value"]) <= 1
    return [rle.decode(one["points"], *fake.size) for one in shapes]


def test_an_agent_answers_clicks_boxes_and_crops(fake):
    run(fake, "create-native", "DynaMITE", *FUNCTION)
    (created,) = fake.agents.created
    assert created["kind"] == "interactor" and created["startswith_box_optional"] is True
    assert (created["min_pos_points"], created["min_neg_points"]) == (0, 0)
    fake.agents.created[-1] |= {"startswith_box": False}

    height, width = fake.size
    ask = fake.agents.ask
    ask("click", 1, 0, pos=[LEFT])
    ask("again", 1, 0, pos=[LEFT], neg=[RIGHT])
    ask("boxes", 1, 0, box=[(30, 40), (310, 480), (365, 35), (530, 485)])
    ask("nothing", 1, 0, neg=[LEFT])
    ask("absurd", 1, 0, pos=[[5000, 5]])
    ask("missing", 1, 9, pos=[LEFT])
    ask("roi", 1, 0, pos=[(LEFT[0] - 20, LEFT[1] - 20)], roi=[20, 20, width, height])
    run(fake, "run-agent", "5", *FUNCTION, "--burst")

    (click,) = masks(fake, "click")
    assert click[LEFT[::-1]] and not click[RIGHT[::-1]] and 0.05 < click.mean() < 0.5
    one, other = masks(fake, "boxes")
    assert one[LEFT[::-1]] and other[RIGHT[::-1]] and not (one & other).any()
    assert masks(fake, "nothing") == []
    end, words = fake.agents.ended["absurd"]
    assert end == "fail" and "pos_points[0] is [5000, 5], outside the frame" in words
    end, words = fake.agents.ended["missing"]
    assert end == "fail" and "does not exist" in words
    end, (roi,) = fake.agents.ended["roi"]
    assert rle.decode(roi["points"], height - 20, width - 20)[LEFT[1] - 20, LEFT[0] - 20]
    frames = [path for _, path, _ in fake.asked if path == "/api/tasks/1/data/"]
    assert len(frames) == 2  # the frame and its crop, each once


def test_the_process_with_the_model_ends_with_the_agent(fake):
    fake.agents.created.append(
        {
            "name": "x",
            "provider": "native",
            "kind": "interactor",
            "min_pos_points": 0,
            "min_neg_points": 0,
            "startswith_box": False,
            "startswith_box_optional": True,
        }
    )
    with cvat_cli(fake, "run-agent", "5", *FUNCTION) as agent:
        assert fake.agents.acquired.wait(120)
        children = children_of(agent.pid)
        assert children
        agent.send_signal(signal.SIGTERM)
        agent.wait(60)
    deadline = time.monotonic() + 30
    while any(is_running(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [child for child in children if is_running(child)] == []


def children_of(parent):
    return [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/stat")
        if _stat(path)[1:2] == [str(parent)]
    ]


def is_running(process):
    return _stat(Path(f"/proc/{process}/stat"))[:1] not in ([], ["Z"])


def _stat(path):
    try:
        return path.read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return []


def test_features_beyond_the_budget_are_computed_again():
    from types import SimpleNamespace

    from backend.cvat.agent import create

    function = create(cache_mb=55)
    frames = [function.preprocess_image(None, Image.new("RGB", (640, 480), n)) for n in range(4)]
    assert function._cache.used <= 55_000_000 and len(function._cache) == 2
    large = function.preprocess_image(None, Image.open(PHOTO).resize((4000, 3263)))
    assert large.picture.nbytes < 4_000_000 and large.size == (3263, 4000)
    assert all(frame.picture.nbytes < 4_000_000 for frame in frames)
    at = LEFT[0] * 4000 / 640, LEFT[1] * 3263 / 522
    prompts = SimpleNamespace(pos_points=[at], neg_points=(), bounding_box=None)
    before = function.detect(None, large, prompts)
    function._cache.remove(next(iter(function._cache._values)))
    assert function.detect(None, large, prompts) == before
    assert rle.decode(before[0].points, *large.size)[int(at[1]), int(at[0])]
    assert np.mean(rle.decode(before[0].points, *large.size)) < 0.5


@pytest.mark.parametrize(("mode", "value"), [("RGBA", 0), ("I;16", 9), ("L", 5), ("P", 1)])
def test_pictures_of_every_mode(mode, value):
    from backend.cvat.agent import create

    assert create().preprocess_image(None, Image.new(mode, (70, 50), value)).size == (50, 70)
