"""A click in a project with memory, through the real application."""

import json
import threading

import pytest
from redis import Redis

from backend import composition
from backend.memory.project_models import ProjectModels
from backend.serving.engine import Model
from backend.settings.folders import memory_folder
from tests.backend.cvat.cvat_page import CvatServer, a_frame, payload
from tests.backend.cvat.fake_cvat import TOKEN, FakeCvat
from tests.backend.label_studio.next.bodies import a_body, points
from tests.fakes import DiscPredictor
from training.memory.evidence import outcome_of
from training.memory.kept import KeptMemories, Record

ON = Record(
    source="label_studio",
    project=3,
    change=1,
    weights="discs-1",
    model_version="discs-1",
    images=5,
    made="2026-01-01T00:00:00+00:00",
    words="on: +25% ± 2% of the clicks saved",
    is_on=True,
    digest="1a2b3c4d",
    outcomes=(outcome_of("a", ["<b>disc</b>"] * 9, [(0.6, 0.7)] * 9, [(4.0, 3.0)] * 9),),
    without=("B",),
)


def load(model, digest, path):
    """Stand in for the loading of weights."""
    assert path.name.endswith("-3-1a2b3c4d.safetensors")
    return Model(DiscPredictor(), model.version, model.device, digest)


@pytest.fixture
def remember(make_backend, monkeypatch):
    """Builds backends that have loaded the memory of project 3."""
    plain = composition.assemble
    found = []

    def assemble(settings, **parts):
        kept = KeptMemories(memory_folder(settings))
        kept.folder.parent.mkdir(parents=True)
        kept.write(ON, lambda path: path.touch())
        engine = parts["engine"]
        memories = ProjectModels(kept, lambda: engine.model, load)
        memories.check()
        found.append(memories)
        return plain(settings, **parts, memories=memories)

    monkeypatch.setattr(composition, "assemble", assemble)
    return make_backend


@pytest.fixture
def fake():
    server = FakeCvat()
    yield server
    server.close()


@pytest.fixture
def remembering(remember):
    return remember()


def version_of(answer):
    return answer.json["results"][0]["model_version"]


def test_the_answer_says_that_memory_took_part(remembering, click, redis_of):
    answer = remembering.predict({"result": [click("A", 200, 200)]})
    assert version_of(answer) == "discs-1+m1a2b3c4d"
    remembering.parts.answer_log.close()
    (noted,) = redis_of(remembering).hvals("dynamite:answers:label_studio:1")
    assert json.loads(noted)[:2] == ["discs-1+m1a2b3c4d", 1]


def test_a_label_that_memory_harms_is_answered_without_it(remembering, click, redis_of):
    first = click("A", 200, 200)
    assert version_of(remembering.predict({"result": [first]})) == "discs-1+m1a2b3c4d"
    other = click("B", 400, 300)
    answer = remembering.predict({"result": [first, other]})
    assert version_of(answer) == "discs-1"
    assert len({one["id"] for one in answer.json["results"][0]["result"]}) == 2
    remembering.parts.answer_log.close()
    notes = redis_of(remembering).hvals("dynamite:answers:label_studio:1")
    versions = sorted(json.loads(note)[0] for note in notes)
    assert versions == ["discs-1", "discs-1+m1a2b3c4d"]  # the mask that held still keeps its own


@pytest.mark.parametrize(
    ("labels", "project", "version"),
    [
        (["A"], "3.1", "discs-1+m1a2b3c4d"),
        (["A", "B"], "3.1", "discs-1"),
        (["A"], "4.1", "discs-1"),
    ],
)
def test_a_batch_is_answered_with_it_too(remembering, task, click, labels, project, version):
    saved = [click(label, 100 + 200 * number, 200) for number, label in enumerate(labels)]
    boxed = task() | {"predictions": [{"id": 5, "result": saved}]}
    answer = remembering.predict(None, task=boxed, project=project)
    assert version_of(answer) == version
    assert len(answer.json["results"][0]["result"]) == len(labels)


def test_cvat_is_answered_with_it_on_frames_whose_project_is_known(remember, fake):
    """CVAT's clicks name no project; commands that send frames ahead, and webhooks, do."""
    fake.add_task(1, frames=3, project=3)
    backend = remember(cvat=True, cvat_url=fake.url, cvat_token=TOKEN)
    kept = KeptMemories(memory_folder(backend.settings))
    source = backend.settings.cvat_name
    kept.write(ON.model_copy(update={"source": source}), lambda path: path.touch())
    backend.parts.memories.check()
    frame, event = a_frame(), fake.event(1, "create:job")
    assert backend.client.post("/cvat/warm?project=3", data=frame).status_code == 200
    assert backend.client.post("/cvat/webhook", json=event).status_code == 200
    done = threading.Event()
    while backend.predictor.encodes < 4:
        done.wait(0.02)
    segmented = backend.parts.memories.choose(source, 3, backend.parts.engine.model).predictor
    page = CvatServer(backend.client)
    page.masks(payload(frame, [(30, 20)]))
    page.masks(payload(fake.frames[1, 2], [(30, 20)]), size=fake.size)
    assert (segmented.segments, backend.predictor.segments) == (2, 0)
    page.masks(payload(a_frame(shade=91, mode="L"), [(30, 20)]))
    assert (segmented.segments, backend.predictor.segments) == (2, 1)
    assert backend.client.post("/cvat/warm?project=x", data=frame).status_code == 400


def test_a_call_for_boxes_that_names_its_project_is_answered_with_it(remember, redis_of):
    backend = remember(cvat=True)
    kept = KeptMemories(memory_folder(backend.settings))
    kept.write(
        ON.model_copy(update={"source": backend.settings.cvat_name}), lambda path: path.touch()
    )
    backend.parts.memories.check()
    frame = a_frame()
    for more in ({}, {"project": None}, {"project": 4}, {"project": 3}):
        body = payload(frame, box=[[100, 100], [200, 200]]) | more
        assert backend.client.post("/cvat/boxes", json=body).status_code == 200
    for absurd in ("x", 0, -1, 1.5, True, [3]):
        body = payload(frame, box=[[100, 100], [200, 200]]) | {"project": absurd}
        answer = backend.client.post("/cvat/boxes", json=body)
        assert answer.status_code == 400
        assert "not the number of a project" in answer.json["error"]["message"]
    backend.parts.answer_log.close()
    (name,) = redis_of(backend).keys("dynamite:answers:*")
    (noted,) = redis_of(backend).hvals(name)
    assert json.loads(noted)[0] == "discs-1+m1a2b3c4d"


@pytest.fixture
def redis_of():
    opened = []

    def connect(backend):
        opened.append(Redis.from_url(backend.settings.queue_url))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


def test_the_next_editor_is_answered_with_it_too(remembering, redis_of):
    body = a_body(points((200, 200))) | {"project": "3.1795330728"}
    assert remembering.client.post("/predict", json=body).status_code == 200
    remembering.parts.answer_log.close()
    (noted,) = redis_of(remembering).hvals("dynamite:answers:label_studio:190")
    assert json.loads(noted)[0] == "discs-1+m1a2b3c4d"


@pytest.mark.parametrize("project", ["4.1795330728", "", "?", "9" * 40])
def test_other_projects_are_answered_without_it(remembering, click, project):
    answer = remembering.predict({"result": [click("A", 200, 200)]}, project=project)
    assert version_of(answer) == "discs-1"


def test_the_image_is_encoded_once_for_all_projects(remembering, click):
    for project in ("3.1", "4.1"):
        remembering.predict({"result": [click("A", 200, 200)]}, project=project)
    assert len(remembering.parts.cache.kept) == 1


def test_a_page_with_pending_masks_keeps_the_model_it_began_with(remembering, click, task):
    memories = remembering.parts.memories
    first, second = click("A", 200, 200), click("A", 230, 200)
    assert version_of(remembering.predict({"result": [first]})) == "discs-1+m1a2b3c4d"
    KeptMemories(memory_folder(remembering.settings)).forget(("label_studio", 3))
    memories.check()
    assert version_of(remembering.predict({"result": [first, second]})) == "discs-1+m1a2b3c4d"
    other = task(2, image="/data/upload/1/b.png")
    assert version_of(remembering.predict({"result": [first]}, task=other)) == "discs-1"


def test_the_page_is_silent_where_it_is_off(backend):
    assert "Project memory" not in backend.client.get("/").text


def test_the_status_page_and_the_metrics_tell_of_it(remembering):
    page = remembering.client.get("/").text
    assert "project 3 of label_studio" in page
    assert "on: +25% ± 2% of the clicks saved" in page
    assert "&lt;b&gt;disc&lt;/b&gt; (9 objects): 4.0 → 3.0 clicks" in page
    metrics = remembering.client.get("/metrics").text
    assert 'dynamite_memories{state="on"} 1.0' in metrics
    assert 'dynamite_memories{state="loaded"} 1.0' in metrics
    remembering.parts.engine.swap(Model(DiscPredictor(), "discs-2", "cpu"))
    assert "off: it was learned from discs-1" in remembering.client.get("/").text
