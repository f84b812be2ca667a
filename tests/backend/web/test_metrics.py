"""``/metrics`` as Prometheus reads it."""

import re
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from backend.features.cache import Tier
from backend.retraining.status import Backlog, note_backlog
from backend.serving.device_memory import memory_of
from backend.serving.stages import Stage
from backend.web.metrics_state import MetricsState

PAGE = Path(__file__).resolve().parents[3] / "docs" / "monitoring.md"
ROW = re.compile(r"^\| `(dynamite_\w+)` \| (\w+) \|(.*?)\| (.+) \|$", re.MULTILINE)


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


def test_clicks_and_stages_are_timed_and_a_batch_is_no_click(backend, scrape, click, capture):
    backend.result(click("A", 200, 200))
    backend.result(click("A", 200, 200), click("A", 220, 200))
    backend.client.post("/predict", json=capture("predict-batch-three-tasks"))
    backend.parts.label_studio._prewarmer._pool.shutdown()
    found = scrape(backend)
    assert found["dynamite_click_seconds_count",] == 2
    assert found["dynamite_click_seconds_sum",] > 0
    passes = {stage: found["dynamite_stage_seconds_count", stage] for stage in Stage}
    assert passes == {
        "fetch": backend.predictor.encodes,
        "decode": backend.predictor.encodes,
        "encode": backend.predictor.encodes,
        "segment": backend.predictor.segments,
        "wait": 3,  # two clicks and the first one's encode; nobody waits for the three others
        "compose": 2,
        "answer": 2,
    }
    assert backend.predictor.encodes == 4
    assert all(found["dynamite_stage_seconds_sum", stage] > 0 for stage in Stage)
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
    tiers = [
        Tier("memory", 2, 500, 1000, hits=7, evicted=5),
        Tier("disk", 3, 900, 5000, hits=1, is_off=True),
    ]
    backend.parts.cache.tiers = lambda: tiers
    backend.parts.cache.misses = 4
    found = scrape(backend)
    assert found["dynamite_cache_bytes", "disk"] == 900
    assert found["dynamite_cache_hits_total", "memory"] == 7
    assert found["dynamite_cache_misses_total",] == 4
    assert found["dynamite_cache_budget_bytes", "disk"] == 5000
    assert found["dynamite_cache_spills_total", "memory"] == 5
    assert [found["dynamite_cache_off", tier] for tier in ("memory", "disk")] == [0, 1]


def test_it_asks_for_the_password_and_processes_share_no_registry(make_backend, scrape, click):
    guarded = make_backend(basic_auth_user="ls", basic_auth_password="right")
    assert guarded.client.get("/metrics").status_code == 401
    assert guarded.client.get("/metrics", auth=("ls", "right")).status_code == 200
    one, other = make_backend(), make_backend()
    one.result(click("A", 200, 200))
    assert scrape(one)["dynamite_click_seconds_count",] == 1
    assert scrape(other)["dynamite_click_seconds_count",] == 0


def test_a_click_counts_once_by_what_came_of_it(backend, scrape, click, task):
    def clicks():
        found = scrape(backend)
        return [
            found["dynamite_clicks_total", outcome, "without"]
            for outcome in ("answered", "repeated", "failed")
        ]

    backend.result(click("A", 200, 200))
    assert clicks() == [1, 0, 0]
    backend.predictor.fail = RuntimeError("the model is broken")
    backend.result(click("A", 200, 200), click("A", 220, 200))
    assert clicks() == [1, 1, 0]
    backend.predict({"result": [click("A", 9, 9)]}, task=task(image="/data/missing.png"))
    assert clicks() == [1, 1, 1]
    assert scrape(backend)["dynamite_click_seconds_count",] == 3


def test_a_click_that_a_newer_one_overtakes_has_not_failed(backend, scrape, click, monkeypatch):
    monkeypatch.setattr(backend.parts.sessions, "is_superseded", lambda ticket: True)
    backend.result(click("A", 200, 200))
    found = scrape(backend)
    assert found["dynamite_clicks_total", "overtaken", "without"] == 1
    assert found["dynamite_clicks_total", "failed", "without"] == 0


def test_clicks_with_memory_are_counted_apart(backend, scrape, click):
    backend.parts.answering._with_memory = lambda source, project, model: replace(model, memory="m")
    backend.result(click("A", 200, 200))
    found = scrape(backend)
    assert found["dynamite_clicks_total", "answered", "with"] == 1
    assert found["dynamite_clicks_total", "answered", "without"] == 0


def test_the_age_of_what_waits_for_the_device_is_told(backend, scrape, click):
    backend.predictor.gate.clear()  # the first encode waits, and the second one for it
    begun = threading.Event()
    encode = backend.predictor.encode

    def tell(image, **how):
        begun.set()
        return encode(image, **how)

    backend.predictor.encode = tell
    backend.parts.label_studio._prewarmer.ask("/data/a.png", "1")
    assert begun.wait(20)
    backend.parts.label_studio._prewarmer.ask("/data/b.png", "1")
    while not backend.parts.engine.waiting:
        threading.Event().wait(0.01)
    first = scrape(backend)["dynamite_device_oldest_seconds",]
    threading.Event().wait(0.05)
    assert scrape(backend)["dynamite_device_oldest_seconds",] >= first + 0.05
    backend.predictor.gate.set()
    backend.parts.label_studio._prewarmer._pool.shutdown()
    assert scrape(backend)["dynamite_device_oldest_seconds",] == 0


def test_the_age_of_a_queue_is_that_of_its_next_job(backend, scrape, queue_server):
    with Redis.from_url(queue_server) as redis:
        queue = Queue("ingest", connection=redis, serializer=JSONSerializer)
        old, _ = queue.enqueue("nothing"), queue.enqueue("nothing")
        redis.hset(old.key, "enqueued_at", "2026-01-01T00:00:00.000000Z")
        assert scrape(backend)["dynamite_queue_age_seconds", "ingest"] > 3600
        queue.remove(old)
        found = scrape(backend)
    assert found["dynamite_queue_age_seconds", "ingest"] < 3600
    assert found["dynamite_queue_age_seconds", "train"] == 0


def test_the_memory_of_a_gpu_is_told_and_a_cpu_has_none(monkeypatch):
    cuda = SimpleNamespace(
        mem_get_info=lambda device: (30, 100),
        memory_allocated=lambda device: 40,
        memory_reserved=lambda device: 50,
    )
    monkeypatch.setattr("torch.cuda", cuda)
    assert memory_of("cuda:0") == {"tensors": 40, "reserved": 50, "used": 70, "total": 100}
    assert memory_of("cpu") == {}


@pytest.mark.parametrize("error", [RuntimeError("CUDA error: unknown"), AssertionError("no CUDA")])
def test_a_driver_that_fails_costs_only_its_figures(monkeypatch, error, caplog):
    def fail(device):
        raise error

    monkeypatch.setattr("torch.cuda.mem_get_info", fail)
    assert memory_of("cuda:0") == {}
    assert "cuda:0" in caplog.text


def test_each_metric_is_documented_with_its_type_labels_and_meaning(
    make_backend, click, queue_server, scrape, task
):
    backend = make_backend(cvat=True)
    backend.result(click("A", 200, 200))
    backend.predict({"result": [click("A", 9, 9)]}, task=task(image="/data/missing.png"))
    with Redis.from_url(queue_server) as redis:
        note_backlog(redis, Backlog(3, "401", 2, "bad_mask: cut off"))
    parts = backend.parts
    parts.cache.tiers = lambda: [Tier("memory", 2, 500, 1000, hits=7)]
    state = MetricsState(
        parts.engine,
        parts.cache,
        parts.queue,
        parts.model_status,
        parts.journal,
        SimpleNamespace(records=list, loaded={}),
        device_memory=lambda device: {"total": 1},
    )
    families = [one for part in (state, *parts.meters.collectors()) for one in part.collect()]
    told = {}
    for family in families:
        kind = "gauge" if family.type == "info" else family.type
        ending = {"counter": "_total", "info": "_info"}.get(family.type, "")
        labels = {name for sample in family.samples for name in sample.labels} - {"le"}
        told[family.name + ending] = (kind, labels)
        assert family.documentation.endswith(".")
    documented = {
        name: (kind, set(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels, _ in ROW.findall(PAGE.read_text())
    }
    assert documented == told


def test_each_stage_is_explained():
    section = PAGE.read_text().partition("### Stages")[2]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [str(one) for one in Stage]
