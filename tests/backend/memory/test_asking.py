"""When memories are asked for."""

from pathlib import Path

import pytest
from rq import Queue
from rq.job import JobStatus
from rq.serializers import JSONSerializer

from backend.jobs.job_queue import find_job
from backend.memory.asking import MEMORY_JOB, Asking
from backend.memory.weights import current_weights
from backend.settings import load
from backend.settings.folders import memory_folder, models_folder, store_folder
from tests.training.annotation_store.builders import annotation, photo
from training.annotation_store import AnnotationKey, AnnotationStore
from training.memory.kept import KeptMemories, Record

JOB = "memory-label_studio-1"


@pytest.fixture
def settings(tmp_path, queue_server):
    return load(redis_url=queue_server, state_dir=tmp_path / "state")


@pytest.fixture
def store(settings):
    with AnnotationStore(store_folder(settings)) as found:
        yield found


@pytest.fixture
def asking(settings, redis):
    return Asking(settings, redis)


def accept(store, number, **more):
    store.apply(annotation(number, store.put_image(photo(number)), **more))


def ids(redis):
    return Queue("memory", connection=redis, serializer=JSONSerializer).job_ids


def end(redis, job_id=JOB, how=JobStatus.FINISHED):
    job = find_job(redis, job_id)
    Queue("memory", connection=redis, serializer=JSONSerializer).remove(job)
    job.set_status(how)


def remembered(settings, change, project=1, **more):
    values = {
        "source": "label_studio",
        "project": project,
        "change": change,
        "weights": current_weights(settings)[0],
        "model_version": "v",
        "images": 2,
        "made": "2026-01-01T00:00:00+00:00",
        "words": "off: for the test",
    }
    KeptMemories(memory_folder(settings)).write(Record(**values | more))


def test_without_a_store_there_is_nothing_to_ask(asking, redis, settings):
    asking()
    assert ids(redis) == []
    assert not store_folder(settings).exists()


def test_a_change_is_asked_for_once(asking, store, redis):
    accept(store, 1)
    asking()
    job = find_job(redis, JOB)
    assert (job.func_name, job.args) == (MEMORY_JOB, ["label_studio", 1])
    redis.hset(job.key, "enqueued_at", "2026-01-01T00:00:00.000000Z")  # it waits for long
    asking()
    assert ids(redis) == [JOB]
    assert find_job(redis, JOB).created_at == job.created_at


def test_what_is_remembered_is_asked_for_when_it_changes(asking, store, redis, settings):
    accept(store, 1)
    remembered(settings, store.change())
    asking()
    assert ids(redis) == []
    accept(store, 2)
    asking()
    assert ids(redis) == [JOB]


def test_a_change_during_the_job_is_seen_after_it(asking, store, redis, settings):
    accept(store, 1)
    asking()
    before = store.change()
    accept(store, 2)
    asking()
    assert ids(redis) == [JOB]
    remembered(settings, before)
    end(redis)
    asking()
    assert ids(redis) == [JOB]
    remembered(settings, store.change())
    end(redis)
    asking()
    assert ids(redis) == []


def test_a_state_that_failed_is_left_alone_until_it_changes(asking, store, redis):
    accept(store, 1)
    asking()
    end(redis, how=JobStatus.FAILED)
    asking()
    assert ids(redis) == []
    accept(store, 2)
    asking()
    assert ids(redis) == [JOB]


def test_a_job_that_a_killed_worker_took_with_it_is_asked_for_again(asking, store, redis):
    accept(store, 1)
    asking()
    job = find_job(redis, JOB)
    redis.lpop(Queue("memory", connection=redis).key)
    redis.hset(job.key, "enqueued_at", "2026-01-01T00:00:00.000000Z")
    asking()
    assert ids(redis) == [JOB]


def test_a_project_without_annotations_is_forgotten(asking, store, redis, settings):
    accept(store, 1)
    accept(store, 2, project=2)
    for project in (1, 2):
        remembered(settings, store.change(), project)
    store.delete(AnnotationKey("label_studio", 2))
    asking()
    assert [one.project for one in KeptMemories(memory_folder(settings)).records()] == [1]


def test_a_memory_of_a_newer_release_is_not_asked_for(asking, store, redis, settings):
    accept(store, 1)
    remembered(settings, store.change())
    accept(store, 2)
    path = memory_folder(settings) / "label_studio-1.json"
    path.write_text(path.read_text().replace('"format": 2', '"format": 3'))
    asking()
    assert ids(redis) == []


def test_new_weights_ask_for_every_memory(asking, store, redis, settings, monkeypatch):
    accept(store, 1)
    remembered(settings, store.change())
    asking()
    assert ids(redis) == []
    monkeypatch.setattr("backend.memory.asking.current_weights", lambda _: ("newer", None))
    asking()
    assert ids(redis) == [JOB]


def test_the_shipped_weights_are_named_as_they_name_themselves(settings):
    name, path = current_weights(settings)
    assert name.startswith("lite-")
    assert path is None
    other = settings.model_copy(update={"checkpoint": Path("weights.pkl")})
    assert current_weights(other) == ("lite of weights.pkl", None)


def test_the_folder_of_memories_is_no_line_of_models(settings):
    folder = memory_folder(settings)
    assert folder.parent == models_folder(settings).parent
    assert folder.name.startswith(".")
