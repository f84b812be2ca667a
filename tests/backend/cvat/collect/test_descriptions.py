"""Accepted jobs of CVAT are described by the worker, project by project, for proposals to use."""

import pytest

from backend.cvat import rle
from backend.cvat.collect.collector import open_collector
from backend.cvat.collect.hints import look_into
from backend.launcher.worker import work
from backend.memory.weights import current_weights
from backend.proposals.asking import Asking
from backend.proposals.likenesses import Likenesses
from backend.settings import load
from backend.settings.folders import descriptions_folder, models_folder
from tests.backend.cvat.fake_cvat import TOKEN, FakeCvat
from tests.backend.proposals.pages import disc
from training.proposing.kept import KeptDescriptions

SIZE = (400, 600)


@pytest.fixture
def fake():
    server = FakeCvat(SIZE)
    yield server
    server.close()


@pytest.fixture
def settings(fake, redis, queue_server, tmp_path, monkeypatch):
    """Of the worker, whose jobs read them from their environment."""
    for name, value in {
        "REDIS_URL": queue_server,
        "DYNAMITE_STATE_DIR": str(tmp_path / "state"),
        "DYNAMITE_CVAT": "true",
        "DYNAMITE_CVAT_URL": fake.url,
        "DYNAMITE_CVAT_TOKEN": TOKEN,
    }.items():
        monkeypatch.setenv(name, value)
    settings = load()
    models_folder(settings).mkdir(parents=True)
    return settings


def described(settings, redis, project):
    """The labels of a project that serving processes know, once the worker is done."""
    Asking(settings, redis)()
    work(settings, ["ingest"], burst=True)
    found = Likenesses(KeptDescriptions(descriptions_folder(settings)))
    return found.labels(project, current_weights(settings)[0], worth_it=False)


def accept(settings, fake, task):
    fake.complete(task)
    with open_collector(settings) as collector:
        look_into(collector, ("job", task))


@pytest.mark.slow
def test_each_project_has_descriptions_of_its_own(settings, fake, redis):
    for task, project, label in ((1, 4, 1), (2, None, 2)):
        fake.add_task(task, frames=1, project=project)
        fake.draw(task, 0, rle.encode(disc(150, 200, 60).array()), label=label)
        accept(settings, fake, task)
    assert described(settings, redis, ("cvat", 4)) == ["Cat"]
    assert described(settings, redis, ("cvat", 0)) == ["Dog"]
