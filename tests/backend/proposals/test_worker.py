"""Descriptions of projects: asked for, made by the worker, read by serving processes."""

import pytest
from rq import Queue
from rq.job import JobStatus
from rq.serializers import JSONSerializer

from backend.jobs.job_queue import find_job
from backend.launcher.worker import chores, work
from backend.memory.weights import current_weights
from backend.proposals.asking import DESCRIBE_JOB, Asking
from backend.proposals.likenesses import Likenesses
from backend.settings import load
from backend.settings.folders import descriptions_folder, models_folder, store_folder
from tests.training.annotation_store.builders import annotation, photo
from tests.training.proposing.test_descriptions import one, record
from training.annotation_store import AnnotationKey, AnnotationStore
from training.proposing.kept import KeptDescriptions, Record

JOB = "describe-label_studio-1"
PROJECT = ("label_studio", 1)


@pytest.fixture
def settings(tmp_path, queue_server):
    return load(redis_url=queue_server, state_dir=tmp_path / "state")


@pytest.fixture
def store(settings):
    with AnnotationStore(store_folder(settings)) as found:
        yield found


@pytest.fixture
def kept(settings):
    models_folder(settings).mkdir(parents=True)
    return KeptDescriptions(descriptions_folder(settings))


def accept(store, number, **more):
    store.apply(annotation(number, store.put_image(photo(number)), **more))


def ids(redis):
    return Queue("ingest", connection=redis, serializer=JSONSerializer).job_ids


def described(kept, settings, change):
    name = current_weights(settings)[0]
    kept.write(PROJECT, Record(change=change, weights=name, model_version="v"), [])


def test_without_a_store_there_is_nothing_to_ask(settings, redis):
    Asking(settings, redis)()
    assert ids(redis) == []


def test_a_change_is_asked_for_once(settings, store, redis):
    accept(store, 1)
    asking = Asking(settings, redis)
    asking()
    asking()
    assert ids(redis) == [JOB]
    job = find_job(redis, JOB)
    assert (job.func_name, job.args) == (DESCRIBE_JOB, ["label_studio", 1])


def test_what_is_described_is_asked_for_when_it_changes(settings, store, redis, kept):
    accept(store, 1)
    described(kept, settings, store.change())
    asking = Asking(settings, redis)
    asking()
    assert ids(redis) == []
    accept(store, 2)
    asking()
    assert ids(redis) == [JOB]


def test_what_failed_is_left_alone_until_it_changes(settings, store, redis):
    accept(store, 1)
    asking = Asking(settings, redis)
    asking()
    job = find_job(redis, JOB)
    Queue("ingest", connection=redis, serializer=JSONSerializer).remove(job)
    job.set_status(JobStatus.FAILED)
    asking()
    assert ids(redis) == []
    accept(store, 2)
    asking()
    assert ids(redis) == [JOB]


def test_a_project_that_is_gone_is_forgotten(settings, store, redis, kept):
    accept(store, 1)
    described(kept, settings, store.change())
    store.delete(AnnotationKey("label_studio", 1))
    Asking(settings, redis)()
    assert not kept.path(PROJECT).exists()


@pytest.mark.parametrize(("labels", "asks"), [("More like this", True), (",", False)])
def test_nothing_is_described_where_no_label_asks(tmp_path, queue_server, redis, labels, asks):
    settings = load(redis_url=queue_server, state_dir=tmp_path, like_labels=labels)
    found = [one for one in chores(settings, redis, ["ingest"]) if isinstance(one, Asking)]
    assert bool(found) is asks


def test_the_worker_describes_and_serving_reads(tmp_path, queue_server, redis, monkeypatch):
    monkeypatch.setenv("REDIS_URL", queue_server)
    monkeypatch.setenv("DYNAMITE_STATE_DIR", str(tmp_path / "state"))
    settings = load()
    models_folder(settings).mkdir(parents=True)
    with AnnotationStore(store_folder(settings)) as store:
        accept(store, 1)
    Asking(settings, redis)()
    work(settings, ["ingest"], burst=True)
    assert find_job(redis, JOB).get_status() == JobStatus.FINISHED
    name = current_weights(settings)[0]
    found = Likenesses(KeptDescriptions(descriptions_folder(settings)))
    (label,) = found.labels(PROJECT, name, worth_it=True)
    assert len(found.of(PROJECT, label, name)) == 1


def test_serving_follows_the_file(tmp_path):
    kept = KeptDescriptions(tmp_path / "kept")
    found = Likenesses(kept)
    assert found.of(PROJECT, "Cell", "v1") == ()
    kept.write(PROJECT, record(("Cell", "a")), [one()])
    assert found.labels(PROJECT, "v1", worth_it=True) == ["Cell"]
    assert len(found.of(PROJECT, "Cell", "v1")) == 1
    kept.write(PROJECT, record(("Cell", "a"), ("Cell", "b")), [one(), one()])
    assert len(found.of(PROJECT, "Cell", "v1")) == 2
    assert found.labels(PROJECT, "v2", worth_it=True) == []
    assert found.of(PROJECT, "Cell", "v2") == ()
    kept.path(PROJECT).write_bytes(b"damaged")
    assert found.of(PROJECT, "Cell", "v1") == ()
    kept.forget(PROJECT)
    assert found.labels(PROJECT, "v1", worth_it=True) == []
