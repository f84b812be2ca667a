"""``/metrics`` as Prometheus reads it."""

from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from backend.features.cache import Tier
from backend.retraining.status import Backlog, note_backlog


@pytest.fixture
def scrape():
    def read(backend):
        answer = backend.client.get("/metrics")
        assert answer.status_code == 200
        assert answer.content_type.startswith("text/plain; version=0.0.4")
        families = text_string_to_metric_families(answer.text)
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in families
            for sample in family.samples
        }

    return read


def test_clicks_and_encodes_are_timed_and_a_batch_is_no_click(backend, scrape, click, capture):
    backend.result(click("A", 200, 200))
    backend.result(click("A", 200, 200), click("A", 220, 200))
    backend.client.post("/predict", json=capture("predict-batch-three-tasks"))
    backend.parts.label_studio._prewarmer._pool.shutdown()
    found = scrape(backend)
    assert found["dynamite_click_seconds_count",] == 2
    assert found["dynamite_encode_seconds_count",] == backend.predictor.encodes == 4
    assert found["dynamite_click_seconds_sum",] > 0
    assert found["dynamite_model_info", "cpu", "discs-1"] == 1
    assert found["dynamite_device_waiting",] == 0
    assert found["process_resident_memory_bytes",] > 1e6


def test_a_version_that_cannot_be_used_raises_the_alarm_until_it_is_mended(backend, scrape):
    assert scrape(backend)["dynamite_model_alarm",] == 0
    backend.parts.model_status._watcher = SimpleNamespace(
        problem="lite-bad is damaged", close=lambda: None
    )
    backend.parts.reports.alarm("lite-bad is damaged")
    found = scrape(backend)
    assert found["dynamite_model_alarm",] == 1
    assert found["dynamite_errors_total", "model_rejected"] == 1
    assert "lite-bad is damaged" in backend.client.get("/").text
    backend.parts.model_status._watcher.problem = None
    assert scrape(backend)["dynamite_model_alarm",] == 0


def test_errors_are_counted_by_their_code(backend, scrape, click, task):
    missing = task(image="/data/missing.png")
    for _ in range(3):
        backend.predict({"result": [click("A", 9, 9)]}, task=missing)
    backend.client.post("/webhook", json={})
    found = scrape(backend)
    assert found["dynamite_errors_total", "image_missing"] == 3
    assert found["dynamite_errors_total", "bad_request"] == 1


def test_jobs_are_counted_by_queue_and_state(backend, scrape, queue_server):
    with Redis.from_url(queue_server) as redis:
        for name, jobs in (("ingest", 3), ("train", 1)):
            queue = Queue(name, connection=redis, serializer=JSONSerializer)
            enqueued = [queue.enqueue("nothing") for _ in range(jobs)]
        queue.failed_job_registry.add(enqueued[0], ttl=100)
        found = scrape(backend)
    assert found["dynamite_queue_up",] == 1
    assert found["dynamite_jobs", "ingest", "waiting"] == 3
    assert found["dynamite_jobs", "train", "waiting"] == 1
    assert found["dynamite_jobs", "failed", "train"] == 1
    assert found["dynamite_jobs", "ingest", "running"] == 0


def test_annotations_that_are_not_in_use_are_counted_and_on_the_page(backend, scrape, queue_server):
    with Redis.from_url(queue_server) as redis:
        redis.flushall()
        assert not [name for name in scrape(backend) if name[0] == "dynamite_annotations"]
        note_backlog(redis, Backlog(3, "<b>401</b>", 2, "bad_mask: cut off"))
        found, page = scrape(backend), backend.client.get("/").text
        assert found["dynamite_annotations", "waiting"] == 3
        assert found["dynamite_annotations", "set_aside"] == 2
        assert "&lt;b&gt;401&lt;/b&gt;" in page and "bad_mask: cut off" in page
        note_backlog(redis, Backlog(0, "", 0, ""))
    assert "dynamite annotations" not in backend.client.get("/").text


def test_without_the_queue_server_the_rest_is_told(make_backend, scrape, tmp_path):
    backend = make_backend(redis_url=f"unix://{tmp_path}/nobody.sock")
    backend.client.post("/webhook", json={"action": "START_TRAINING", "project": 3})
    found = scrape(backend)
    assert found["dynamite_queue_up",] == 0
    assert found["dynamite_spooled_events",] == 1
    assert not [name for name in found if name[0] == "dynamite_jobs"]


def test_the_cache_tells_what_it_holds_by_tier(backend, scrape):
    tiers = [Tier("memory", 2, 500, 1000, hits=7), Tier("disk", 3, 900, 5000, hits=1)]
    backend.parts.cache.tiers = lambda: tiers
    backend.parts.cache.misses = 4
    found = scrape(backend)
    assert found["dynamite_cache_bytes", "disk"] == 900
    assert found["dynamite_cache_hits_total", "memory"] == 7
    assert found["dynamite_cache_misses_total",] == 4


def test_it_asks_for_the_password_and_processes_share_no_registry(make_backend, scrape, click):
    guarded = make_backend(basic_auth_user="ls", basic_auth_password="right")
    assert guarded.client.get("/metrics").status_code == 401
    assert guarded.client.get("/metrics", auth=("ls", "right")).status_code == 200
    one, other = make_backend(), make_backend()
    one.result(click("A", 200, 200))
    assert scrape(one)["dynamite_click_seconds_count",] == 1
    assert scrape(other)["dynamite_click_seconds_count",] == 0
