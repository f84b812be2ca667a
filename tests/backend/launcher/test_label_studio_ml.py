import os
import subprocess
import sys
import textwrap
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask

from backend.label_studio.config_writer import write
from backend.launcher import label_studio_ml

ROOT = Path(__file__).parents[3]


@pytest.fixture
def model(backend, monkeypatch):
    monkeypatch.setattr(label_studio_ml, "backend", lambda: backend.parts)
    return label_studio_ml.DynaMITEModel(project_id="3", label_config=write(["A", "B"]))


def test_it_predicts_after_clicks_and_in_batches(model, task, click):
    (one,) = model.predict([task()], context={"result": [click("A", 200, 200)]})
    assert [region["value"]["brushlabels"] for region in one["result"]] == [["A"]]
    assert model.predict([task(1), task(2)]) == [[], []]


def test_a_failure_within_another_server_is_answered_with_the_last_masks(
    model, backend, task, click
):
    first, second = click("A", 200, 200), click("A", 240, 200)
    with Flask("label_studio_ml").test_request_context():  # a request without an id of ours
        (before,) = model.predict([task()], context={"result": [first]})
        backend.predictor.fail = RuntimeError("boom")
        (after,) = model.predict([task()], context={"result": [first, second]})
    assert [region["id"] for region in after["result"]] == [r["id"] for r in before["result"]]
    assert backend.parts.journal.counts == {"internal_error": 1}


@pytest.mark.parametrize(
    "call",
    [
        lambda model, data: model.fit("ANNOTATION_CREATED", data),
        lambda model, data: model.fit([], "/tmp", event="ANNOTATION_CREATED", data=data),
    ],
)
def test_both_ways_of_calling_fit_reach_the_queue(model, backend, monkeypatch, call):
    put = []
    monkeypatch.setattr(backend.parts.queue, "put", put.append)
    call(model, {"annotation": {"id": 5}})
    assert put[0]["body"] == {"annotation": {"id": 5}, "action": "ANNOTATION_CREATED"}
    assert put[0]["source"] == "label_studio"
    assert datetime.fromisoformat(put[0]["received_at"]).utcoffset() == timedelta(0)


@pytest.mark.e2e
def test_it_runs_in_the_server_of_the_released_package(tmp_path, queue_server):
    """label-studio-ml 1.0.9, forced in without its pins, in a folder of its own."""
    import dynamite
    from dynamite.checkpoints import checkpoint

    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    needed = ["appdirs", "colorama", "lxml"]
    packages = ["label-studio-ml==1.0.9", "label-studio-tools==0.0.4", *needed]
    subprocess.run([*pip, str(tmp_path / "packages"), *packages], check=True)
    weights = tmp_path / "random.safetensors"
    checkpoint.save(dynamite.load("lite", random_weights=True), weights, {})
    code = """
        from label_studio_ml.api import init_app
        from label_studio_ml.model import LabelStudioMLBase
        from backend.label_studio.config_writer import write
        from backend.launcher.label_studio_ml import DynaMITEModel

        assert issubclass(DynaMITEModel, LabelStudioMLBase)
        client = init_app(DynaMITEModel, model_dir="models").test_client()
        config = write(["A"])
        setup = {"project": "3.1", "schema": config, "hostname": "", "access_token": ""}
        assert client.post("/setup", json=setup).status_code == 200
        assert client.get("/health").get_json()["status"] == "UP"
        body = {"tasks": [{"id": 1, "data": {"image": "x"}}], "project": "3.1"}
        body |= {"label_config": config, "params": {"context": None}}
        answer = client.post("/predict", json=body)
        assert answer.get_json()["results"] == [[]], answer.text
        print("served")
    """
    environment = os.environ | {
        "PYTHONPATH": f"{tmp_path / 'packages'}{os.pathsep}{ROOT}",
        "DYNAMITE_CHECKPOINT": str(weights),
        "DYNAMITE_STATE_DIR": str(tmp_path / "state"),
        "REDIS_URL": queue_server,
    }
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "served" in done.stdout
