import base64
import threading
import time
from dataclasses import replace

import pytest

from backend.label_studio.config_writer import write
from dynamite import brush_rle
from dynamite.errors import InvalidInputError
from tests.label_studio_sdk import Sdk


def masks(result):
    return {
        region["value"]["brushlabels"][0]: brush_rle.decode(region["value"]["rle"], (400, 600))
        > 127
        for region in result
    }


def test_the_answer_to_b_holds_a_too_and_they_are_disjoint(backend, click):
    (first,) = backend.result(click("A", 200, 200))
    result = backend.result(click("B", 260, 200))
    found = masks(result)
    assert set(found) == {"A", "B"}
    assert not (found["A"] & found["B"]).any()
    assert found["A"][200, 200]
    assert found["B"][200, 260]
    again = next(region for region in result if region["value"]["brushlabels"] == ["A"])
    assert again["id"] == first["id"]


def test_the_first_click_encodes_and_the_others_do_not(backend, click):
    backend.result(click("A", 200, 200))
    backend.result(click("A", 200, 200), click("A", 220, 200))
    backend.result(click("B", 400, 200))
    assert backend.predictor.encodes == 1
    assert backend.predictor.segments == 3
    assert len(backend.photos.fetched) == 1


@pytest.mark.parametrize(
    "name",
    [
        "predict-first-click",
        "predict-second-click-same-label",
        "predict-negative-click",
        "predict-second-label",
        "predict-smart-rectangle",
        "predict-auto-accept-2",
        "predict-on-submitted-annotation",
        "predict-restored-draft-keypoints",
        "predict-draft-with-brush-touches",
    ],
)
def test_what_label_studio_really_sends_is_answered(backend, capture, name):
    answer = backend.client.post("/predict", json=capture(name))
    assert answer.status_code == 200, answer.text
    (one,) = answer.json["results"]
    assert one["result"]
    for region in one["result"]:
        assert region["type"] == "brushlabels"
        assert (region["original_width"], region["original_height"]) == (600, 400)
        mask = brush_rle.decode(region["value"]["rle"], (400, 600))
        assert mask.any()


def test_a_batch_is_answered_at_once_and_warms_the_images(backend, capture, task):
    backend.predictor.gate.clear()  # an encode would now wait for ever
    answer = backend.client.post("/predict", json=capture("predict-batch-three-tasks"))
    assert answer.json["results"] == [[], [], []]  # a prediction each, however empty, is stored
    assert backend.predictor.encodes == 0
    backend.predictor.gate.set()
    backend.parts.label_studio._prewarmer._pool.shutdown()
    assert backend.predictor.encodes == 3


def test_a_click_on_a_warmed_image_encodes_nothing(backend, click, task):
    backend.parts.label_studio.warm("/data/upload/1/a.png", "1")
    backend.result(click("A", 200, 200))
    assert backend.predictor.encodes == 1


def test_one_bad_image_does_not_spoil_a_batch(backend, task, click):
    good, bad = task(1), task(2, image="/missing.png")
    for one in (good, bad):
        one["predictions"] = [{"id": 5, "result": [click("A", 100, 100)], "created_at": "2026"}]
    body = {"tasks": [bad, good], "project": "3.1", "label_config": write(["A"])}
    body["params"] = {"context": None}
    answer = backend.client.post("/predict", json=body)
    failed, answered = answer.json["results"]
    assert failed == []  # stored as nothing: Label Studio asks again for it
    assert len(answered["result"]) == 1
    assert backend.parts.journal.errors[0].code == "image_missing"


def test_a_busy_server_answers_a_batch_with_nothing_and_a_click_with_an_error(
    make_backend, task, click
):
    backend = make_backend(threads=2)
    boxed = task() | {"predictions": [{"id": 5, "result": [click("A", 100, 100)]}]}
    with backend.parts.admission.place(), backend.parts.admission.place():
        assert backend.predict(None, task=boxed).json["results"] == [[]]
        assert backend.predict({"result": [click("A", 100, 100)]}).status_code == 503
    (one,) = backend.predict(None, task=boxed).json["results"]
    assert len(one["result"]) == 1


def test_a_batch_task_that_has_all_its_masks_is_answered_with_nothing(backend, task, click):
    (mask,) = backend.result(click("A", 100, 100))
    done = task(2) | {"annotations": [{"id": 5, "result": [click("A", 100, 100), mask]}]}
    assert backend.predict(None, task=done).json["results"] == [[]]


def test_when_the_model_fails_the_last_masks_are_answered(backend, click):
    (before,) = backend.result(click("A", 200, 200))
    backend.predictor.fail = RuntimeError("secret detail")
    result = backend.result(click("A", 200, 200), click("A", 300, 200))
    assert [region["id"] for region in result] == [before["id"]]
    assert result[0]["value"]["rle"] == before["value"]["rle"]
    (entry,) = backend.parts.journal.errors
    assert entry.code == "internal_error"
    assert "secret detail" not in entry.message


def test_when_the_first_click_fails_there_is_an_error_with_code_and_id(backend, click):
    backend.predictor.fail = RuntimeError("secret detail")
    answer = backend.predict({"result": [click("A", 200, 200)]})
    assert answer.status_code == 500
    assert answer.json["error"]["code"] == "internal_error"
    assert answer.json["error"]["request_id"] == answer.headers["X-Request-Id"]
    assert "secret detail" not in answer.text
    backend.predictor.fail = None
    assert backend.result(click("A", 200, 200))


def test_nothing_left_in_the_context_is_an_empty_result(backend):
    assert backend.result() == []
    assert backend.predictor.segments == 0


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "not_json"),
        (b"[1]", "application/json", 400, "bad_request"),
        (b'{"a": NaN}', "application/json", 400, "not_json"),
        (b'{"a": 1e999}', "application/json", 400, "not_json"),
        (b'{"a": ' + b"9" * 5000 + b"}", "application/json", 400, "not_json"),
        (b"[" * 100_000, "application/json", 400, "not_json"),
        (b"[" * 970 + b"]" * 970, "application/json", 400, "not_json"),
        (b'{"tasks":' * 970 + b"1" + b"}" * 970, "application/json", 400, "not_json"),
        (b'{"tasks": ' + b"[" * 101 + b"]" * 101 + b"}", "application/json", 400, "not_json"),
        (b'{"a": ' + b"[" * 99 + b'"[[[\\"[["' + b"]" * 99 + b"}", "application/json", 400, None),
        (b"\xff\xfe", "application/json", 400, "not_json"),
        (b"{}", "text/plain", 400, "not_json"),
        (b"{}", "application/json", 400, None),
        (b'{"tasks": 3}', "application/json", 400, None),
    ],
)
def test_a_bad_body_is_an_error_in_words(backend, body, content_type, status, code):
    answer = backend.client.post("/predict", data=body, content_type=content_type)
    assert answer.status_code == status, answer.text
    error = answer.json["error"]
    assert error["message"]
    assert code is None or error["code"] == code


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda c: c["value"].pop("x"), 400),
        (lambda c: c["value"].update(x="left"), 400),
        (lambda c: c["value"].update(x=[1]), 400),
        (lambda c: c["value"].update(keypointlabels=["Unknown"], labels=["Unknown"]), 400),
        (lambda c: c.update(value=None), 400),
    ],
)
def test_a_bad_click_is_an_error_in_words(backend, click, change, status):
    bad = click("A", 100, 100)
    change(bad)
    answer = backend.predict({"result": [bad]})
    assert answer.status_code == status, answer.text
    assert len(answer.json["error"]["message"]) > 10


def test_an_unreachable_image_is_an_error_in_words(backend, click, task):
    answer = backend.predict(
        {"result": [click("A", 100, 100)]}, task=task(image="/data/missing.png")
    )
    assert answer.status_code == 404
    assert answer.json["error"]["code"] == "image_missing"


def test_a_body_over_the_cap_is_refused(make_backend):
    backend = make_backend(max_request_bytes=1000)
    answer = backend.client.post("/predict", json={"pad": "x" * 2000})
    assert answer.status_code == 413
    assert answer.json["error"]["code"] == "request_entity_too_large"
    message = answer.json["error"]["message"]
    for part in ("2,011 bytes", "1,000 bytes", "DYNAMITE_MAX_REQUEST_BYTES", "fewer tasks"):
        assert part in message
    assert backend.parts.journal.errors[0].message == message


def test_unknown_paths_and_methods_are_json_errors(backend):
    assert backend.client.get("/nothing").json["error"]["code"] == "not_found"
    assert backend.client.get("/predict").status_code == 405


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("0c1b7a3e-5d2f-4e6a-9b8c-7d6e5f4a3b2c", True),
        ("short", False),
        ("x" * 65, False),
        ("two words of it", False),
        ("<script>alert(1)</script>", False),
    ],
)
def test_a_proxys_request_id_is_kept_if_it_is_one(backend, given, kept):
    answer = backend.client.get("/nothing", headers={"X-Request-Id": given})
    assert (answer.headers["X-Request-Id"] == given) == kept
    assert answer.json["error"]["request_id"] == answer.headers["X-Request-Id"]


def test_health_sends_a_balancer_elsewhere_while_clicks_are_still_answered(backend, click):
    backend.parts.draining.set()
    health = backend.client.get("/health")
    assert (health.status_code, health.json["status"]) == (503, "DRAINING")
    assert len(backend.result(click("A", 100, 100))) == 1


def test_a_backend_lives_while_it_drains_and_while_nobody_knows_the_queue(backend, monkeypatch):
    backend.parts.draining.set()
    queue = backend.parts.queue
    monkeypatch.setattr(queue, "workers", lambda **_: pytest.fail("it asks the queue"))
    answer = backend.client.get("/live")
    assert (answer.status_code, answer.json) == (200, {"status": "LIVE"})


def test_health_versions_and_setup(backend, capture):
    health = backend.client.get("/health").json
    assert health["status"] == "UP"
    assert backend.client.get("/versions").json["versions"] == ["discs-1"]
    for _ in range(2):
        answer = backend.client.post("/setup", json=capture("setup-connect"))
        assert answer.json["model_version"] == "discs-1"


def test_a_password_guards_everything_but_health(make_backend, click):
    backend = make_backend(basic_auth_user="ls", basic_auth_password="right")
    client = backend.client
    assert client.get("/health").status_code == client.get("/live").status_code == 200
    for method, path in [
        ("get", "/"),
        ("get", "/versions"),
        ("get", "/nothing"),
        ("post", "/setup"),
        ("post", "/predict"),
        ("post", "/webhook"),
    ]:
        answer = getattr(client, method)(path, **({"json": {}} if method == "post" else {}))
        assert answer.status_code == 401, path
        assert answer.json["error"]["code"] == "unauthorized"
    wrong = {"Authorization": "Basic " + base64.b64encode(b"ls:wrong").decode()}
    assert client.get("/", headers=wrong).status_code == 401
    right = {"Authorization": "Basic " + base64.b64encode(b"ls:right").decode()}
    assert client.get("/", headers=right).status_code == 200
    assert client.get("/versions", headers=right).status_code == 200


def test_no_log_line_holds_a_body_or_a_secret(make_backend, click, caplog):
    caplog.set_level("DEBUG")
    backend = make_backend(webhook_secret="a-long-secret-word")
    broken = click("A", 10, 10, name="find-me-in-the-log")
    backend.predict({"result": [broken]})
    broken["value"]["x"] = "left"
    backend.predict({"result": [broken]})
    backend.client.post("/k/a-long-secret-word/setup", json={"access_token": "find-me-in-the-log"})
    backend.client.post("/k/a-wrong-secret-word/setup", json={})
    assert "/k/…/setup" in caplog.text
    caplog.clear()
    cut = ["/k/a/secret-word/setup", "/k/secret-word", "/k//secret-word/setup", "//k/secret-word/"]
    for path in cut:
        answer = backend.client.post("/", json={}, environ_overrides={"PATH_INFO": path})
        assert answer.status_code >= 300
    assert caplog.text.count("POST /k/… ") == len(cut)
    for private in ("find-me-in-the-log", "secret-word"):
        assert private not in caplog.text


def test_the_secret_is_masked_wherever_it_stands(make_backend, caplog):
    caplog.set_level("DEBUG")
    backend = make_backend(webhook_secret="a-long-secret-word", max_request_bytes=1000)
    for path in ("/a-long-secret-word", "/x/k/a-long-secret-word", "/predict/a-long-secret-word"):
        assert backend.client.get(path).status_code == 404
    for path in ("/predict", "/k/a-long-secret-word/predict"):
        assert backend.client.post(path, json={"pad": "x" * 2000}).status_code == 413
    shown = caplog.text + repr(backend.parts.journal.errors) + backend.client.get("/").text
    assert "a-long-secret-word" not in shown


def test_the_page_escapes_what_it_shows_and_runs_no_script(backend):
    backend.parts.journal.error("x", "<script>alert(1)</script>", "<b>id</b>")
    schema = "<View></View>"
    backend.client.post("/setup", json={"project": "<i>5</i>", "schema": schema})
    answer = backend.client.get("/")
    assert answer.status_code == 200
    for raw in ("<script", "<b>id", "<i>5"):
        assert raw not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "discs-1" in answer.text


def test_every_answer_is_valid_for_label_studio(backend, click):
    config = write(["A", "B"])
    backend.result(click("A", 200, 200))
    answer = backend.predict({"result": [click("B", 420, 200)]})
    (one,) = answer.json["results"]
    with Sdk() as sdk:
        assert sdk.errors_of_prediction(config, one) == []


def test_errors_of_the_library_have_their_own_code(backend, click):
    backend.predictor.fail = InvalidInputError("the click is outside")
    answer = backend.predict({"result": [click("A", 100, 100)]})
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "invalid_input")


def test_health_and_setup_are_answered_while_the_device_is_busy(backend, click, capture):
    backend.predictor.gate.clear()
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(backend.result(click("A", 9, 9))))
    waiting.start()
    while not backend.photos.fetched:  # /setup teaches another fetcher
        time.sleep(0.01)
    assert backend.client.get("/health").json["status"] == "UP"
    assert backend.client.post("/setup", json=capture("setup-connect")).status_code == 200
    assert backend.client.get("/").status_code == 200
    assert answers == []
    backend.predictor.gate.set()
    waiting.join()
    assert answers[0]


def test_warming_waits_and_says_what_it_could_not_have(backend, task, click):
    body = {"tasks": [task(1), task(2, image="/missing.png")], "project": "3"}
    body |= {"label_config": write(["A"]), "params": {"context": None}}
    answer = backend.client.post("/warm", json=body).json
    assert answer["warm"] == 1
    assert len(answer["problems"]) == 1
    backend.result(click("A", 200, 200))
    assert backend.predictor.encodes == 1


def test_warming_names_a_task_whose_image_is_nowhere(backend, task):
    body = {"tasks": [task(1) | {"data": {"other": "a.png"}}], "label_config": write(["A"])}
    answer = backend.client.post("/warm", json=body).json
    assert answer["warm"] == 0
    assert "no address at '$image'" in answer["problems"][0]


def test_a_call_overtaken_by_a_newer_one_costs_no_model_run(backend, click, monkeypatch):
    sessions, begun = backend.parts.sessions, threading.Semaphore(0)
    begin = sessions.begin

    def counting(evidence):
        ticket = begin(evidence)
        begun.release()
        return ticket

    monkeypatch.setattr(sessions, "begin", counting)
    backend.predictor.gate.clear()
    one, two = click("A", 200, 200, name="one"), click("A", 230, 200, name="two")
    answers = {}

    def call(name, *context):
        window = replace(backend, client=backend.client.application.test_client())
        answers[name] = window.result(*context)

    threads = [threading.Thread(target=call, args=("older", one))]
    threads.append(threading.Thread(target=call, args=("newer", one, two)))
    for thread in threads:
        thread.start()
        assert begun.acquire(timeout=20)
    backend.predictor.gate.set()
    for thread in threads:
        thread.join()
    assert answers["older"] == []  # the page drops it anyway
    assert len(answers["newer"]) == 1
    assert backend.predictor.segments == 1
