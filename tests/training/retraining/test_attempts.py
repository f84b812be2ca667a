"""Attempts at one training: killed, overtaken, or without their share for a while."""

import errno
import shutil
import threading
from pathlib import Path

import pytest
import torch
from rq.timeouts import JobTimeoutException

import training.jobs as jobs
import training.retraining.attempt as attempts
import training.retraining.launching as launching
import training.retraining.retrain as work
import training.retraining.train_candidate as candidate
import training.retraining.waiting as waiting
from dynamite.registry import Description, Registry, RegistryError
from tests.training.retraining.drawn import request, tiny_weights
from training.retraining.attempt import Attempt
from training.retraining.gate import Verdict
from training.retraining.gate import judge as real_judge
from training.retraining.judging import Comparison
from training.retraining.launching import TrainingFailedError, TrainingKilledError
from training.retraining.request import RequestError, read_request
from training.retraining.run_folder import release, take
from training.retraining.waiting import AwayError


class Trainings:
    """What stands for the training: other weights every time, after whatever is to happen."""

    def __init__(self):
        self.starts, self.meanwhile = [], lambda run: None

    def __call__(self, config, out, hosts="", report=None):
        self.starts.append(config.model.checkpoint.rpartition("/")[2])
        torch.manual_seed(len(self.starts))
        self.meanwhile(out)
        tiny_weights(out / "model.safetensors")
        return out / "model.safetensors"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("template")
    return folder, request(folder, images=4)


@pytest.fixture
def wanted(template, tmp_path):
    folder, values = template
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    moved = {k: v.replace(str(folder), str(tmp_path)) for k, v in values.items() if str(v) == v}
    return read_request(values | moved)


@pytest.fixture
def trainings(monkeypatch):
    found = Trainings()
    monkeypatch.setattr(candidate, "run_training", found)
    monkeypatch.setattr(work, "compare_models", lambda *_: [Comparison("held out", ())])
    monkeypatch.setattr(work, "judge", lambda *_: Verdict(published=True, reason="better"))
    monkeypatch.setattr(waiting, "WAIT_SECONDS", 0.02)
    return found


def replace(wanted, **fields):
    return wanted.model_copy(update=fields)


def publish_another(wanted, folder):
    """Some version that is current before the training; its name."""
    registry = Registry(wanted.models)
    torch.manual_seed(99)
    tiny_weights(folder / "another.safetensors")
    name = registry.add(folder / "another.safetensors", Description()).name
    registry.promote(name, holder="test", reason="test")
    return name


@pytest.mark.parametrize("during", ["training", "judging"])
@pytest.mark.parametrize("mount_point", [False, True])
def test_a_share_that_goes_meanwhile_is_waited_for(
    wanted, trainings, tmp_path, monkeypatch, during, mount_point
):
    models = wanted.models.parent
    before = publish_another(wanted, tmp_path)

    def unmount(*_):
        models.rename(tmp_path / "away")
        if mount_point:
            models.mkdir()
        threading.Timer(0.2, mount).start()
        return Verdict(published=True, reason="better")

    written_below = []

    def mount():
        if mount_point:
            written_below.extend(models.iterdir())
            models.rmdir()
        (tmp_path / "away").rename(models)

    if during == "training":
        trainings.meanwhile = unmount
    else:
        monkeypatch.setattr(work, "judge", unmount)
    outcome = work.retrain(wanted, "attempt")
    assert written_below == []
    assert outcome["published"]
    assert trainings.starts == [f"{before}.safetensors"]
    assert Registry(wanted.models).current().version == outcome["version"]


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("at", ["publish", "prune", "release", "after"])
def test_an_attempt_killed_at_its_end_is_not_trained_again(wanted, trainings, monkeypatch, at):
    def kill(*_):
        raise Killed

    with monkeypatch.context() as patch:
        if at != "after":
            where = {"publish": Attempt, "prune": Registry, "release": attempts}[at]
            patch.setattr(where, at, kill)
            with pytest.raises(Killed):
                work.retrain(wanted, "first")
        else:
            work.retrain(wanted, "first")
    if at != "publish":  # what is current is not judged against itself
        monkeypatch.setattr(work, "judge", lambda *_: Verdict(published=False, reason="no better"))
    outcome = work.retrain(wanted, "second")
    registry = Registry(wanted.models)
    assert [version.name for version in registry.versions()] == [outcome["version"]]
    assert registry.current().version == outcome["version"]
    assert (outcome["published"], outcome["verdict"]) == (True, "published: better")
    assert len(trainings.starts) == 1
    assert not wanted.run.exists()
    work.retrain(replace(wanted, job="forced"), "by hand")
    assert len(trainings.starts) == 2


def test_a_version_that_never_became_current_does_not_say_that_it_was_published(
    wanted, trainings, monkeypatch
):
    publish = Attempt.publish

    def overtaken(attempt, *rest):
        attempt.registry.promote(None, holder="somebody", reason="by hand")
        return publish(attempt, *rest)

    monkeypatch.setattr(Attempt, "publish", overtaken)
    outcome = work.retrain(wanted, "attempt")
    assert not outcome["published"]
    assert outcome["verdict"].startswith("not published: ")
    (version,) = Registry(wanted.models).versions()
    assert version.description.verdict == "passed: better"


def test_what_is_requested_twice_by_hand_is_trained_twice(wanted, trainings):
    for attempt in ("first", "second"):
        work.retrain(replace(wanted, job=""), attempt)
    assert len(trainings.starts) == 2


def test_an_attempt_believed_dead_leaves_the_run_to_the_one_after_it(wanted, trainings):
    def overtaken(run):
        trainings.meanwhile = lambda run: None
        take(wanted, Registry(wanted.models).begin("second"))
        (run / "checkpoint").touch()

    trainings.meanwhile = overtaken
    assert not work.retrain(wanted, "first")["published"]
    assert (wanted.run / "checkpoint").exists()


def test_versions_that_cannot_be_cleaned_up_do_not_fail_a_training(wanted, trainings, monkeypatch):
    def fail(*_):
        raise RegistryError("the folder of models fails")

    monkeypatch.setattr(Registry, "prune", fail)
    assert work.retrain(wanted, "attempt")["published"]


def test_without_a_held_out_image_it_says_so_before_and_after(
    wanted, trainings, monkeypatch, caplog
):
    monkeypatch.setattr(work, "judge", real_judge)
    said = []
    trainings.meanwhile = lambda run: said.extend(caplog.messages)
    outcome = work.retrain(replace(wanted, images={"corrected": 4}), "attempt")
    assert "only 0 images are held out, 2 are needed" in said[0]
    assert not outcome["published"]
    assert "only 0 held-out images" in outcome["verdict"]
    version = Registry(wanted.models).get(outcome["version"])
    assert version.description.metrics["sets"][0]["nci_current"] is None
    assert "–" in (version.report / "report.txt").read_text()


def test_no_run_is_made_where_the_share_of_snapshots_is_away(wanted, tmp_path):
    token = Registry(wanted.models).begin("attempt")
    runs = tmp_path / "retraining" / "runs"
    away = replace(wanted, snapshot=tmp_path / "retraining" / "snapshots" / "x", run=runs / "x")
    with pytest.raises(AwayError, match="mounted"):
        take(away, token)
    assert not (tmp_path / "retraining").exists()
    away.snapshot.parent.mkdir(parents=True)
    with pytest.raises(RequestError, match="ask for another"):
        take(away, token)


def test_a_share_of_runs_that_fails_is_waited_for(wanted, trainings, monkeypatch):
    write_text, tries = Path.write_text, []

    def full_at_first(path, *text, **how):
        if "parent.json" in path.name and not tries:
            tries.append(path)
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write_text(path, *text, **how)

    monkeypatch.setattr(Path, "write_text", full_at_first)
    assert work.retrain(wanted, "attempt")["published"]
    assert len(tries) == 1


def test_what_a_run_started_from_is_not_forgotten_while_it_cannot_be_read(
    wanted, trainings, tmp_path, monkeypatch
):
    registry = Registry(wanted.models)
    assert take(wanted, registry.begin("first")) is None
    publish_another(wanted, tmp_path)
    second = registry.begin("second")

    def stale(path, *_, **how):
        raise OSError(errno.ESTALE, "Stale file handle", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", stale)
        with pytest.raises(AwayError, match="Stale file handle"):
            take(wanted, second)
        release(wanted, second)
    assert take(wanted, second) is None


@pytest.mark.parametrize("trouble", ["full", "away"])
def test_a_full_disk_or_a_share_that_goes_during_a_training_is_waited_for(
    wanted, trainings, tmp_path, trouble
):
    """The training goes on from its checkpoint; without that it failed for good."""

    def fail_once(run):
        trainings.meanwhile = lambda _: None
        if trouble == "full":
            raise TrainingFailedError("… OSError: [Errno 28] No space left on device")
        wanted.snapshot.parent.rename(tmp_path / "away")
        threading.Timer(0.2, (tmp_path / "away").rename, [wanted.snapshot.parent]).start()
        raise TrainingFailedError("… DatasetError: annotations.json cannot be read")

    trainings.meanwhile = fail_once
    assert work.retrain(wanted, "attempt")["published"]
    assert len(trainings.starts) == 2


def test_an_empty_folder_of_models_where_there_were_versions_is_not_begun_anew(
    wanted, trainings, tmp_path
):
    """It is the mount point of a share that is away: what is written there is lost."""
    publish_another(wanted, tmp_path)
    models = wanted.models.parent
    models.rename(tmp_path / "away")
    models.mkdir()
    written_below = []

    def mount():
        written_below.extend(models.iterdir())
        models.rmdir()
        (tmp_path / "away").rename(models)

    threading.Timer(0.3, mount).start()
    assert work.retrain(replace(wanted, begun=True), "attempt")["published"]
    assert written_below == []


def test_what_was_rolled_back_by_hand_is_not_published_again_by_a_late_attempt(
    wanted, trainings, monkeypatch
):
    def kill(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "prune", kill)
        with pytest.raises(Killed):
            work.retrain(wanted, "first")
    registry = Registry(wanted.models)
    registry.rollback(holder="a person")
    assert work.retrain(wanted, "second")["published"]
    assert registry.current().version is None
    assert len(trainings.starts) == 1


class Job:
    id, worker_name, retries_left = "train-x", "w", 5

    def __init__(self):
        self.meta = {}

    def save(self):
        pass

    save_meta = save


RANKS = {
    "killed": "import os; os.kill(os.getpid(), 9)",
    "killed_below_torchrun": "raise SystemExit('Signal 9 (SIGKILL) received by PID 1234')",
    "failed": "raise SystemExit('Error: no such data set')",
}


@pytest.fixture
def attempt(wanted, template, tmp_path, monkeypatch):
    """One attempt of a job, with a rank of ``RANKS``; what it fails with."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "none")  # the test itself need not give way
    monkeypatch.setattr(launching, "POLL_SECONDS", 0.01)
    values = template[1] | {
        name: str(getattr(wanted, name)) for name in ("snapshot", "models", "run", "checkpoint")
    }

    def fail(rank, job):
        (tmp_path / f"{rank}.py").write_text(RANKS[rank])
        monkeypatch.setattr(launching, "command", lambda *_: [rank])
        monkeypatch.setattr(jobs, "get_current_job", lambda: job)
        with pytest.raises(TrainingFailedError) as failed:
            jobs.retrain(values)
        return failed.value

    return fail


@pytest.mark.parametrize("rank", RANKS)
def test_a_training_that_was_killed_is_tried_again_and_one_that_fails_is_not(attempt, rank):
    job = Job()
    killed = rank != "failed"
    assert isinstance(attempt(rank, job), TrainingKilledError) == killed
    assert job.retries_left == (5 if killed else 0)


def test_a_training_that_took_too_long_is_not_begun_again(wanted, template, monkeypatch):
    """rq would let it have as much time again, five times."""
    job = Job()

    def late(*_):
        raise JobTimeoutException("Task exceeded maximum timeout value (5 seconds)")

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "none")
    monkeypatch.setattr(jobs, "get_current_job", lambda: job)
    monkeypatch.setattr(work, "retrain", late)
    with pytest.raises(JobTimeoutException):
        jobs.retrain(template[1])
    assert job.retries_left == 0
    assert "exceeded" in job.meta["error"]


def test_the_last_attempt_that_was_killed_says_so(attempt, caplog):
    job = Job()
    error = attempt("killed_below_torchrun", job)
    assert str(error) in caplog.text
    assert job.meta == {}  # the next attempt may be better
    job.retries_left = 0
    assert job.meta == {"error": str(attempt("killed_below_torchrun", job))}


def test_how_an_earlier_attempt_ended_says_nothing_of_this_one(attempt):
    assert isinstance(attempt("killed_below_torchrun", Job()), TrainingKilledError)
    error = attempt("failed", Job())
    assert not isinstance(error, TrainingKilledError)
    assert str(error).endswith("ended with status 1: Error: no such data set")
