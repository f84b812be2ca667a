import threading
from dataclasses import replace

from redis import Redis

from backend.retraining.status import note_asked
from backend.serving.engine import Model
from tests.fakes import DiscPredictor


def new_model(backend, version="discs-2"):
    """Another model on the same device."""
    return Model(DiscPredictor(), version, backend.parts.engine.model.device)


def version_of(answer):
    return answer.json["results"][0]["model_version"]


def test_a_page_with_pending_masks_keeps_its_model_and_others_get_the_new_one(backend, click, task):
    old = backend.parts.engine.model
    first = click("A", 200, 200)
    assert version_of(backend.predict({"result": [first]})) == "discs-1"
    backend.parts.engine.swap(new_model(backend))
    second = click("A", 230, 200)
    assert version_of(backend.predict({"result": [first, second]})) == "discs-1"
    assert old.predictor.segments == 2
    elsewhere = task(2, image="/data/upload/1/b.png")
    answer = backend.predict({"result": [click("A", 10, 10)]}, task=elsewhere)
    assert version_of(answer) == "discs-2"


def test_once_the_masks_are_accepted_the_page_gets_the_new_model(backend, click):
    (region,) = backend.result(click("A", 200, 200))
    backend.parts.engine.swap(new_model(backend))
    draft = {
        "id": 7,
        "user": "a@example.com",
        "updated_at": "2026-11-22T08:00:00Z",
        "result": [region],
    }
    answer = backend.predict({"result": [click("B", 400, 200)]}, drafts=[draft])
    assert version_of(answer) == "discs-2"


def test_no_click_fails_while_models_are_swapped(backend, click, task):
    stop, statuses = threading.Event(), []

    def annotate(number):
        client = backend.client.application.test_client()
        mine = replace(backend, client=client)
        rounds = 0
        while not stop.is_set() or rounds < 5:
            page = task(number * 1000 + rounds, image=f"/data/upload/1/{number}.png")
            points = [click("A", 50 + 10 * i, 80, name=f"{number}-{rounds}-{i}") for i in range(3)]
            for count in range(1, 4):
                answer = mine.predict({"result": points[:count]}, task=page)
                statuses.append((answer.status_code, bool(answer.json["results"][0]["result"])))
            rounds += 1

    threads = [threading.Thread(target=annotate, args=(n,)) for n in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for number in range(30):
        backend.parts.engine.swap(new_model(backend, f"discs-{number % 3 + 2}"))
    stop.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {(200, True)}
    assert len(statuses) >= 45


def test_the_status_page_and_versions_tell_of_training_and_of_a_bad_version(backend, queue_server):
    answer = backend.client.get("/versions").json
    assert answer["versions"] == ["discs-1"]
    assert answer["training"] is None
    assert answer["asked"] is None
    assert "nothing has been trained yet" in backend.client.get("/").text
    with Redis.from_url(queue_server) as redis:
        note_asked(redis, "shared", "the Start Training button of project 3", "nothing to train on")
    assert backend.client.get("/versions").json["asked"]["outcome"] == "nothing to train on"
    page = backend.client.get("/").text
    assert "the Start Training button of project 3" in page and "nothing to train on" in page
    backend.parts.reports.alarm(
        "version lite-bad cannot be used, the old model stays: it is damaged"
    )
    assert "lite-bad cannot be used" in backend.client.get("/").text
