"""The whole loop with everything real: queue server, two workers, a web server under clicks."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.training.retraining.drawn import accepted
from tests.training.retraining.serving import Clicks, wait
from training.annotation_store import AnnotationStore


@pytest.mark.training
@pytest.mark.timeout(1500)
def test_accepted_annotations_make_a_better_model_that_serves_and_is_rolled_back(start):
    backend = start()
    shipped = backend.version()
    before = backend.quality(10_000)
    with Clicks(backend) as clicks:
        for number in range(1, 31):
            backend.webhook(accepted(number))
            backend.webhook(accepted(number))  # twice, as a storm brings them
        pressed = {"action": "START_TRAINING", "project": {"id": 3}}
        for _ in range(2):
            backend.webhook(pressed)
        state = wait(backend.trained, 1200, "the end of a training")
        assert state["status"] == "finished", state
        assert state["verdict"].startswith("published"), state
        wait(lambda: backend.version() == state["version"], 10, "the swap")
        after = backend.quality(20_000)
        assert after > before + 0.05, (before, after)
        assert "passed: " in backend.dynamite("models", "list")
        assert backend.dynamite("jobs").count("train-shared-") == 1  # pressed twice, trained once
        backend.dynamite("models", "rollback")
        wait(lambda: backend.version() == shipped, 10, "the way back")
    assert clicks.problems == []
    assert clicks.count > 20


@pytest.mark.load
@pytest.mark.timeout(600)
def test_a_thousand_webhooks_in_a_minute_lose_nothing_while_clicks_go_on(start):
    backend = start(train_worker=False)

    folder = backend.folder / "state" / "retraining" / "annotations"
    folder.parent.mkdir(exist_ok=True)  # the first event may not have been taken yet

    def stored():
        with AnnotationStore(folder) as store:
            return len(store.annotations())

    events = [accepted(number % 20 + 1) for number in range(1000)]
    for number, event in enumerate(events):
        event["annotation"] |= {"id": number, "task": number}
        event["task"]["id"] = number
    with Clicks(backend) as clicks, ThreadPoolExecutor(8) as annotators:
        started = time.monotonic()
        list(annotators.map(backend.webhook, events))
        took = time.monotonic() - started
        wait(lambda: stored() == 1000, 300, "all of them")
        print(f"sent within {took:.0f} s, stored within {time.monotonic() - started:.0f} s")
    assert clicks.problems == []
    assert clicks.count > 0
    assert took < 60

    def jobs(state):
        return backend.metric("dynamite_jobs", queue="ingest", state=state)

    wait(lambda: jobs("waiting") == 0, 60, "what is due by the clock")
    assert jobs("failed") == 0
