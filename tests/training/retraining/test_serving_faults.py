"""A serving process that is killed, misled or cut off while models change; clicks go on."""

import itertools
import os
import signal
import time

import pytest
import requests
import torch

import dynamite
from dynamite.checkpoints import checkpoint
from dynamite.registry import Description, Registry
from dynamite.registry.version import Version
from tests.training.retraining.drawn import accepted
from tests.training.retraining.serving import Backend, Clicks, wait
from training.annotation_store import AnnotationStore

pytestmark = [pytest.mark.training, pytest.mark.timeout(900)]


WEB, QUEUE = "backend.launcher.web", "valkey-server"
PAGES = itertools.count(70_000)


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serving")
    (folder / "share").mkdir()
    found = Backend(folder, "--no-worker", models_dir=folder / "share")
    yield found
    found.close()


@pytest.fixture(scope="module")
def registry(backend):
    """Two versions beside the weights that the backend was started with."""
    registry = Registry(backend.folder / "share" / "shared")
    path = backend.folder / "start.safetensors"
    model = dynamite.load("lite", path, device="cpu")
    for number in (1, 2):
        torch.manual_seed(number)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        checkpoint.save(model, backend.folder / f"{number}.safetensors", {})
        registry.add(backend.folder / f"{number}.safetensors", Description())
    return registry


@pytest.fixture
def names(backend, registry):
    """The two versions; the first answers."""
    first, second = (version.name for version in registry.versions())
    promote(registry, first)
    wait(lambda: backend.version() == first, 60, "the first version")
    return first, second


def promote(registry, name):
    registry.promote(name, holder="test", reason="test")


def answer(backend):
    """The masks of image 1, asked for on a page that nobody has clicked on."""
    found, _ = backend.masks(1, next(PAGES))
    return found


def alike(one, other):
    """Whether masks are equal but for what features in half precision, from disk, may move."""
    return one.keys() == other.keys() and all(
        (one[label] != other[label]).mean() < 0.01 for label in one
    )


def logged(backend):
    return (backend.folder / "serve.log").read_text(errors="replace")


def test_killed_while_it_loads_the_next_version_it_comes_back_whole(backend, registry, names):
    first, second = names
    answers = {first: answer(backend)}
    promote(registry, second)
    wait(lambda: backend.version() == second, 60, "the second version")
    answers[second] = answer(backend)
    assert not alike(answers[first], answers[second])

    def caught():
        """Stop the server; whether it was loading, and had not swapped, at that moment."""
        promote(registry, first)
        wait(lambda: backend.version() == first, 60, "the first version again")
        before = len(logged(backend))
        promote(registry, second)
        wait(lambda: f"loading version {second}" in logged(backend)[before:], 60, "the load", 0.01)
        processes = backend.processes(WEB)
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        if f"model {second} is in use now" not in logged(backend)[before:]:
            return processes
        for process in processes:
            os.kill(process, signal.SIGCONT)
        return None

    for process in wait(caught, 300, "a server stopped while it loads"):
        os.kill(process, signal.SIGKILL)
    version = wait(backend.version, 240, "the restarted server")
    assert version in answers
    assert alike(answer(backend), answers[version])
    wait(lambda: backend.version() == second, 60, "the version that is current")
    assert alike(answer(backend), answers[second])
    with Clicks(backend) as clicks:
        time.sleep(2)
    assert clicks.problems == []


def test_a_damaged_version_raises_the_alarm_and_the_old_one_answers(
    backend, registry, names, monkeypatch
):
    first, second = names
    before = answer(backend)
    weights = registry.get(second).weights
    good = weights.read_bytes()
    weights.write_bytes(good[: len(good) // 2])
    monkeypatch.setattr(Version, "verify", lambda self: None)  # damaged after it was looked at
    with Clicks(backend) as clicks:
        promote(registry, second)
        wait(lambda: backend.metric("dynamite_model_alarm") == 1, 60, "the alarm")
        assert alike(answer(backend), before)
        assert backend.metric("dynamite_model_info", version=first, device="cpu") == 1
        assert backend.metric("dynamite_errors_total", code="model_rejected") >= 1
        told = f"version {second} cannot be used, the old model stays"
        assert told in backend.versions()["problem"]
        assert told in requests.get(backend.url, timeout=30).text
    assert clicks.problems == []
    for process in backend.processes(WEB):  # and one that starts now has the last good one
        os.kill(process, signal.SIGKILL)
    assert wait(backend.version, 240, "the restarted server") == first
    assert alike(answer(backend), before)
    weights.write_bytes(good)
    promote(registry, first)
    wait(lambda: backend.metric("dynamite_model_alarm") == 0, 60, "the end of the alarm")


def test_while_the_shared_folder_is_gone_clicks_are_answered(backend, registry, names):
    _, second = names
    share = backend.folder / "share"
    with Clicks(backend) as clicks:
        share.rename(backend.folder / "away")
        wait(lambda: backend.metric("dynamite_model_alarm") == 1, 60, "the alarm")
        assert "is it mounted?" in backend.versions()["problem"]
        (backend.folder / "away").rename(share)
        wait(lambda: backend.metric("dynamite_model_alarm") == 0, 60, "the end of the alarm")
        promote(registry, second)
        wait(lambda: backend.version() == second, 60, "the second version")
    assert clicks.problems == []
    assert clicks.count > 0


def test_the_queue_server_killed_with_events_queued_loses_none_and_clicks_are_answered(backend):
    def waiting():
        return backend.metric("dynamite_jobs", queue="ingest", state="waiting")

    before = waiting()
    with Clicks(backend) as clicks:
        for number in range(1, 41):
            if number == 21:
                (server,) = backend.processes(QUEUE)
                os.kill(server, signal.SIGKILL)
            backend.webhook(accepted(number))
        wait(lambda: waiting() == before + 40, 120, "all of them in the queue")
    assert clicks.problems == []
    assert backend.metric("dynamite_spooled_events") == 0
    backend.dynamite("worker", "--burst")
    with AnnotationStore(backend.folder / "state" / "retraining" / "annotations") as store:
        assert [one.annotation_id for one in store.annotations()] == list(range(1, 41))
