"""Retraining with real workers and a real queue server, killed with −9 at bad moments."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Retry
from rq.job import Job
from rq.serializers import JSONSerializer

from backend.jobs.job_queue import JobQueue
from backend.label_studio.ingest.job_names import EVENT_JOB
from backend.launcher.valkey import valkey_child, wait_until_ready
from backend.retraining.enqueueing import enqueue_training
from dynamite.registry import Registry
from tests.training.retraining.drawn import accepted, drawn, request, with_options
from tests.training.retraining.serving import wait
from training.annotation_store import AnnotationStore
from training.retraining.request import read_request

pytestmark = [pytest.mark.training, pytest.mark.timeout(900)]

STEPS = 120


class Site:
    """A queue server and workers of one test, all killed at the end."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.url = f"unix://{folder / 'q.sock'}"
        self.workers = []
        self.start_server()

    def start_server(self):
        self.server = valkey_child(self.folder / "q.sock", self.folder)
        self.server.start()
        wait_until_ready(self.url, self.server)
        self.redis = Redis.from_url(self.url)

    def worker(self, queues="train", settings=None):
        environment = dict(
            os.environ,
            REDIS_URL=self.url,
            DYNAMITE_STATE_DIR=str(self.folder / "state"),
            DYNAMITE_RECONCILE_MINUTES="0",
            OMP_NUM_THREADS="1",
            **(settings or {}),
        )
        with (self.folder / f"worker-{len(self.workers)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "backend.cli", "worker", "--queues", queues],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.workers.append(process)
        return process

    def enqueue(self, values):
        queue = Queue("train", connection=self.redis, serializer=JSONSerializer)
        return queue.enqueue(
            "training.jobs.retrain",
            values,
            job_id=f"train-shared-{values['digest']}",
            retry=Retry(max=5),
            job_timeout=3600,
        )

    def fetch(self, name):
        return Job.fetch(name, connection=self.redis, serializer=JSONSerializer)

    def status(self, job):
        return self.fetch(job.id).get_status()

    def finished(self, job):
        """Whether a job is; a worker that has died is started again, as ``dynamite serve`` does."""
        if all(worker.poll() is not None for worker in self.workers):
            self.worker()
        return self.status(job) == "finished"

    def close(self):
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self.server.stop()


@pytest.fixture
def site(tmp_path):
    found = Site(tmp_path)
    yield found
    found.close()


@pytest.fixture
def values(tmp_path):
    return with_options(request(tmp_path), train_steps=STEPS)


def steps(values):
    """The step of each line of metrics, in the order written."""
    path = Path(values["run"]) / "metrics.jsonl"
    return [json.loads(x)["step"] for x in path.read_text().splitlines()] if path.exists() else []


def checkpointed(values):
    return any((Path(values["run"]) / "checkpoints").glob("step_*.pt"))


def ranks(values):
    """Processes that train in the run's folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if "training.retraining.rank" in words and values["run"] in words:
            found.append(int(path.parent.name))
    return found


def alive(pid):
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def horses(worker):
    children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    return [int(child) for child in children]


def outcome(site, job):
    return site.fetch(job.id).return_value()


def check_trained_once(site, job, values):
    found = outcome(site, job)
    registry = Registry(Path(values["models"]))
    assert [version.name for version in registry.versions()] == [found["version"]]
    registry.get(found["version"]).verify()
    assert (registry.current().version == found["version"]) == found["published"]
    assert not list((registry.folder / "versions").glob(".*"))


def test_a_job_process_killed_while_training_goes_on_from_its_checkpoint(site, values):
    worker = site.worker()
    job = site.enqueue(values)
    wait(lambda: checkpointed(values), 120, "a checkpoint")
    (rank,) = ranks(values)
    (horse,) = horses(worker)
    os.kill(horse, signal.SIGKILL)
    wait(lambda: rank not in ranks(values), 10, "the end of the orphan")
    reached = int(max((Path(values["run"]) / "checkpoints").glob("*.pt")).stem.split("_")[1])
    wait(lambda: ranks(values), 60, "the next attempt")
    wait(lambda: site.status(job) == "finished", 500, "the end")
    log = b"".join(path.read_bytes() for path in site.folder.glob("worker-*.log"))
    assert reached > 0, log
    check_trained_once(site, job, values)


def test_a_job_whose_worker_was_killed_runs_again_within_90_seconds_and_goes_on(site, values):
    first = site.worker()
    job = site.enqueue(with_options(values, train_steps=200))
    wait(lambda: checkpointed(values), 120, "a checkpoint")
    second = site.worker()  # idle so far
    before = {*horses(first), *ranks(values)}
    first.kill()
    first.wait()
    killed = time.monotonic()
    wait(lambda: not ranks(values), 10, "the end of the orphans")
    wait(lambda: not any(alive(pid) for pid in before), 10, "the end of the job's process")
    written = steps(values)
    wait(lambda: horses(second), killed + 90 - time.monotonic(), "the next attempt: the promise")
    print(f"runs again {time.monotonic() - killed:.0f} s after its worker was killed")
    wait(lambda: ranks(values), 200, "its training")
    wait(lambda: len(steps(values)) > len(written), 200, "more steps")
    assert min(steps(values)[len(written) - 10 :]) > 0
    assert steps(values) == sorted(set(steps(values)))  # no step is done twice in the records
    wait(lambda: site.status(job) == "finished", 500, "the end")
    check_trained_once(site, job, values)


def test_a_training_that_waits_follows_one_whose_worker_was_killed(site, values):
    """Never beside it, and not instead of it."""
    first = site.worker()
    short = with_options(values, train_steps=12)
    for number, digest in enumerate(("first", "second")):
        own = {"digest": digest, "change": number, "run": f"{values['run']}-{digest}"}
        wanted = read_request((short if number else values) | own)
        print(enqueue_training(site.redis, wanted, 3600))
        if not number:
            values = values | own
    jobs = [site.fetch(f"train-shared-{digest}") for digest in ("first", "second")]
    wait(lambda: checkpointed(values), 120, "a checkpoint")
    first.kill()
    first.wait()
    site.worker()
    second = jobs[1]

    def statuses():
        return [site.status(job) for job in jobs]

    wait(lambda: statuses()[0] == "started" and ranks(values), 150, "the next attempt")
    assert site.status(second) == "created"
    wait(lambda: statuses() == ["finished", "finished"], 500, "the end of both")
    ended, began = site.fetch(jobs[0].id).ended_at, site.fetch(second.id).started_at
    assert 0 <= (began - ended).total_seconds() < 9  # its worker lets it follow at once
    assert len(Registry(Path(values["models"])).versions()) == 2


def test_a_queue_server_killed_with_jobs_queued_has_them_when_it_is_back(site, values):
    job = site.enqueue(with_options(values, train_steps=6))
    site.worker()
    wait(lambda: site.status(job) != "queued", 120, "the beginning")
    another = {"digest": "another", "run": values["run"] + "-2"}
    second = site.enqueue(with_options(values, train_steps=6) | another)
    time.sleep(1.5)  # appendfsync everysec
    site.server.process.send_signal(signal.SIGKILL)
    site.server.process.wait()
    with pytest.raises(RedisError):
        site.redis.ping()
    site.start_server()
    for one in (job, second):
        wait(lambda one=one: site.finished(one), 400, f"{one.id}")
    names = [version.name for version in Registry(Path(values["models"])).versions()]
    assert len(names) == len(set(names)) <= 2


LIMITED = """
import json, resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
from training.retraining.launching import TrainingFailedError, run_training
from training.retraining.request import read_request
from training.retraining.recipe import recipe
wanted = read_request(json.loads(Path(sys.argv[1]).read_text()))
try:
    run_training(recipe(wanted, wanted.checkpoint), wanted.run)
    print("done")
except TrainingFailedError as error:
    print("failed", str(error)[-300:])
"""


def test_a_disk_that_is_full_at_a_checkpoint_loses_nothing_and_can_be_gone_on_with(
    values, tmp_path
):
    path = tmp_path / "request.json"
    path.write_text(json.dumps(with_options(values, train_steps=12)))

    def run(limit):
        command = [sys.executable, "-c", LIMITED, str(path), str(limit)]
        environment = dict(os.environ, OMP_NUM_THREADS="1")
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, check=True
        ).stdout

    told = run(300_000)
    assert told.startswith("failed")
    assert "File too large" in told or "write" in told.lower()
    assert not checkpointed(values)
    assert not list(Path(values["run"]).glob("*.safetensors"))
    assert run(-1).startswith("done")


SEVERAL = """
import json, sys
from pathlib import Path
import training.retraining.launching as launching
from training.retraining.request import read_request
from training.retraining.recipe import recipe
launching.gpu_count = lambda: 2  # as many processes; without GPUs they meet by gloo
wanted = read_request(json.loads(Path(sys.argv[1]).read_text()))
launching.run_training(recipe(wanted, wanted.checkpoint), wanted.run)
"""


def test_the_ranks_of_torchrun_die_with_the_job_that_started_them(values, tmp_path):
    path = tmp_path / "request.json"
    path.write_text(json.dumps(with_options(values, train_steps=500)))
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    with subprocess.Popen([sys.executable, "-c", SEVERAL, str(path)], env=environment) as job:
        wait(lambda: steps(values), 200, "the first steps")
        assert len(ranks(values)) == 3  # torchrun itself and two ranks
        job.kill()
    wait(lambda: not ranks(values), 15, "the end of all of them")


class SlowPhotos:
    """An image host that answers only when it is told to."""

    def __init__(self):
        self.asked, self.go = threading.Event(), threading.Event()
        photos = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                photos.asked.set()
                photos.go.wait(200)
                content = drawn(1)[0]
                self.send_response(200)
                self.send_header("Content-Type", "image/png")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                with contextlib.suppress(OSError):  # who asked is dead
                    self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.host = f"127.0.0.1:{self.server.server_port}"

    def close(self):
        self.go.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.parametrize("at", [1, 3])  # its own job's event; one that it took along
def test_annotations_whose_worker_was_killed_are_taken_by_the_next_one(site, tmp_path, at):
    photos = SlowPhotos()
    queue = JobQueue(site.url, tmp_path / "spool", EVENT_JOB, answer_seconds=30)
    for number in range(1, 6):
        event = accepted(number)
        if number == at:
            event["task"]["data"]["image"] = f"http://{photos.host}/slow.png"
        queue.put({"body": event, "verified": True})
    queue.close()
    settings = {"DYNAMITE_IMAGE_HOSTS": photos.host, "DYNAMITE_IMAGE_TIMEOUT": "100"}
    first = site.worker("ingest", settings)
    assert photos.asked.wait(120)
    first.kill()
    folder = tmp_path / "state" / "retraining" / "annotations"

    def stored():
        with AnnotationStore(folder) as store:
            return [annotation.annotation_id for annotation in store.annotations()]

    assert at not in stored()
    photos.go.set()
    site.worker("ingest", settings)
    wait(lambda: stored() == [1, 2, 3, 4, 5], 150, "all of them")
    wait(lambda: site.redis.llen("rq:queue:ingest") == 0, 150, "an empty queue")
    photos.close()
