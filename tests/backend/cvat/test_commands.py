"""The commands for CVAT: a fake CVAT and a backend, both over HTTP."""

import threading

import numpy as np
import pytest
from werkzeug.serving import make_server

from backend.cli import main
from backend.cvat import rle
from backend.cvat.prelabelling import corners
from tests.backend.cvat.cvat_page import CvatServer, payload
from tests.backend.cvat.fake_cvat import TOKEN, FakeCvat

SIZE = (300, 400)


@pytest.fixture
def fake():
    server = FakeCvat(SIZE)
    yield server
    server.close()


@pytest.fixture
def served(backend):
    server = make_server("127.0.0.1", 0, backend.parts.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def dynamite(fake, served, queue_server, monkeypatch, capsys):
    """Call a command; its status and what it printed."""
    monkeypatch.setenv("REDIS_URL", queue_server)

    def call(*words, token=TOKEN, backend=served):
        with pytest.raises(SystemExit) as ended:
            main([*words, "--cvat", fake.url, "--token", token, "--backend", backend])
        printed = capsys.readouterr()
        return ended.value.code, printed.out + printed.err

    return call


def boxes(fake, task, frame, *places, **more):
    for x, y in places:
        fake.draw(task, frame, [x, y, x + 60, y + 60], "rectangle", **more)


def masks(fake, job, frame):
    return [
        (one["label_id"], rle.decode(one["points"], *SIZE))
        for one in fake.shapes[job]
        if one["type"] == "mask" and one["frame"] == frame
    ]


def test_every_box_gets_a_disjoint_mask_of_its_label(fake, dynamite, backend):
    fake.add_task(1, frames=3)
    boxes(fake, 1, 0, (20, 20), (100, 20))
    boxes(fake, 1, 0, (60, 30), label=2)
    boxes(fake, 1, 2, (200, 100), label=2)
    drawn = list(fake.shapes[1])
    status, said = dynamite("cvat-masks", "--task", "1")
    assert (status, "4 masks written on 2 frames" in said) == (0, True), said
    labels, found = zip(*masks(fake, 1, 0), strict=True)
    assert sorted(labels) == [1, 1, 2] and np.sum(found, axis=0).max() == 1
    assert found[0][50, 40] and not found[0][:, 80:].any()
    assert fake.shapes[1][: len(drawn)] == drawn
    assert {one["source"] for one in fake.shapes[1][len(drawn) :]} == {"auto"}
    assert backend.predictor.segments == 2  # one for each frame


def test_called_again_it_writes_what_is_missing_and_nothing_twice(fake, dynamite):
    fake.add_task(1, frames=3)
    for frame in range(3):
        boxes(fake, 1, frame, (20, 20))
    fake.broken_frames.add((1, 1))
    status, said = dynamite("cvat-masks", "--task", "1")
    result, _, problems = said.partition("2 masks written on 2 frames")
    assert (status, result) == (1, "") and "frame 1 of job 1" in problems  # on standard error
    fake.broken_frames.clear()
    status, said = dynamite("cvat-masks", "--task", "1")
    assert status == 0 and "1 mask written on 1 frame\n" in said and "2 frames with masks" in said
    before = list(fake.shapes[1])
    dynamite("cvat-masks", "--task", "1")
    assert fake.shapes[1] == before


@pytest.mark.parametrize("kind", ["mask", "polygon"])
def test_what_people_drew_and_accepted_is_left_alone(fake, dynamite, kind):
    fake.add_task(1, frames=2)
    boxes(fake, 1, 0, (20, 20))
    fake.draw(1, 0, [0, 4, 5, 5, 6, 6], kind)
    fake.jobs[1]["stop_frame"] = 0
    fake.add_job(2, 1, 1, 1)
    boxes(fake, 2, 1, (20, 20))
    fake.complete(2)
    before = {job: list(shapes) for job, shapes in fake.shapes.items()}
    status, said = dynamite("cvat-masks", "--task", "1")
    assert status == 0 and "1 frame with masks" in said and "1 job accepted" in said
    assert fake.shapes == before


def test_a_turned_box_is_enclosed():
    box = {"points": [10.0, 20.0, 30.0, 30.0], "rotation": 90.0}
    assert corners(box) == pytest.approx((15, 15, 25, 35))
    assert corners(box | {"rotation": 0}) == pytest.approx((10, 20, 30, 30))
    diagonal = corners({"points": [0, 0, 10, 10], "rotation": 45})
    assert diagonal == pytest.approx((5 - 50**0.5, 5 - 50**0.5, 5 + 50**0.5, 5 + 50**0.5))


def test_warmed_frames_are_not_encoded_again(fake, dynamite, backend):
    fake.add_task(1, frames=3)
    fake.deleted[1] = [1]
    status, said = dynamite("warm", "--cvat-task", "1")
    assert (status, "warm: 2 images" in said) == (0, True), said
    page = CvatServer(backend.client)
    page.masks(payload(fake.frames[1, 2], [(30, 20)]), size=SIZE)
    assert backend.predictor.encodes == 2


def test_what_is_missing_is_said(fake, dynamite):
    fake.add_task(1)
    boxes(fake, 1, 0, (20, 20))
    for words in (("cvat-masks", "--task"), ("warm", "--cvat-task")):
        assert "401" in dynamite(*words, "1", token="wrong")[1]
        assert "404" in dynamite(*words, "99")[1]
        status, said = dynamite(*words, "1", backend="http://127.0.0.1:9")
        assert status == 1 and "dynamite serve" in said
    assert dynamite("warm", "--cvat-task", "1", "--project", "2")[0] == 2


def test_the_doctor_finds_what_is_well_and_what_is_not(fake, dynamite):
    fake.add_task(1, project=4)
    status, said = dynamite("doctor", "--project", "4")
    assert status == 1
    assert "CVAT 2.39.0 answers" in said and "that of ann is accepted" in said
    assert "the backend answers calls of CVAT" in said
    assert "CVAT lists other functions (none)" in said and "CVAT_NUCLIO_HOST" in said
    assert "webhook" in said and "/cvat/webhook" in said
    fake.functions = [{"id": "dynamite"}]
    fake.hooks = [
        {"target_url": "http://b:9090/cvat/webhook", "is_active": True, "events": ["update:job"]}
    ]
    status, said = dynamite("doctor", "--project", "4")
    bad = [line for line in said.splitlines() if "✗" in line and "workers" not in line]
    assert bad == [] and "CVAT knows dynamite" in said, said
    assert "changes of jobs are sent to the backend" in said
    fake.hooks[0]["is_active"] = False
    assert "it is switched off" in dynamite("doctor", "--project", "4")[1]
    assert "it is not accepted: CVAT answers 401" in dynamite("doctor", token="wrong")[1]


def test_the_doctor_says_that_cvat_is_off(fake, make_backend, dynamite):
    off = make_server("127.0.0.1", 0, make_backend().parts.app, threaded=True)
    thread = threading.Thread(target=off.serve_forever)
    thread.start()
    _, said = dynamite("doctor", backend=f"http://127.0.0.1:{off.server_port}")
    off.shutdown()
    thread.join()
    off.server_close()
    assert "set DYNAMITE_CVAT=true" in said
