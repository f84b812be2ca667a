"""A real worker makes memories: killed in the middle, it makes them all the same."""

import os
import signal
import subprocess
import sys
import time

import pytest
from redis import Redis

import dynamite
from backend.jobs.job_queue import find_job
from backend.settings import load
from backend.settings.folders import memory_folder, store_folder
from dynamite.adaptation import Adaptation
from dynamite.checkpoints import checkpoint
from dynamite.network.config import Resize
from tests.training.memory.conftest import accept
from tests.training.tiny_run import TINY_MODEL, write_data
from training.annotation_store import AnnotationKey, AnnotationStore
from training.data.catalog import open_dataset
from training.memory.kept import KeptMemories

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STAND_IN = """
from pathlib import Path
from training.memory import growth
growth.FIRST_STEPS = growth.MOST_STEPS = 2
plain = growth.learn
def learn(*arguments, **more):
    Path({begun!r}).touch()
    while Path({held!r}).exists():
        __import__("time").sleep(0.05)
    return plain(*arguments, **more)
growth.learn = learn
"""
"""What a job's process runs first: lessons are short, and can be held."""


class Site:
    """Accepted images, tiny weights, and workers of one queue."""

    def __init__(self, folder, url):
        self.folder, self.workers = folder, []
        self.begun, self.held = folder / "begun", folder / "held"
        weights = folder / "tiny.safetensors"
        model = dynamite.load("lite", random_weights=True, resize=Resize(64, 64), **TINY_MODEL)
        self.version = checkpoint.save(model, weights, {})
        self.settings = load(redis_url=url, state_dir=folder / "state", checkpoint=weights)
        self.kept = KeptMemories(memory_folder(self.settings))
        dataset = open_dataset("shapes", write_data(folder / "sets", images=3))
        with AnnotationStore(store_folder(self.settings)) as store:
            for number in range(3):
                accept(store, number + 1, dataset[number])
        (folder / "stand_in").mkdir()
        words = STAND_IN.format(begun=str(self.begun), held=str(self.held))
        (folder / "stand_in" / "stand_in.py").write_text(words)
        code = (
            "import sys\nif 'backend.launcher.job_process' in sys.orig_argv:\n    import stand_in\n"
        )
        (folder / "stand_in" / "sitecustomize.py").write_text(code)
        self.environment = os.environ | {
            "REDIS_URL": url,
            "DYNAMITE_STATE_DIR": str(folder / "state"),
            "DYNAMITE_CHECKPOINT": str(weights),
            "DYNAMITE_MEMORY": "on",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(folder / "stand_in"),
        }

    def worker(self):
        command = [sys.executable, "-m", "backend.cli", "worker", "--queues", "memory"]
        process = subprocess.Popen(command, env=self.environment, start_new_session=True)
        self.workers.append(process)
        return process

    def close(self):
        for worker in self.workers:
            worker.kill()
            worker.wait()


@pytest.fixture
def site(tmp_path, redis, queue_server):
    found = Site(tmp_path, queue_server)
    yield found
    found.close()


def until(condition, seconds=240):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


def check(site):
    record = until(lambda: site.kept.record(("label_studio", 3)))
    assert (record.images, record.weights, record.model_version) == (3, site.version, site.version)
    assert Adaptation.load(site.kept.weights_path(record)).digest == record.digest
    names = {path.name for path in site.kept.folder.iterdir()}
    assert names == {"label_studio-3.json", f"label_studio-3-{record.digest}.safetensors"}


def test_accepted_masks_become_a_memory_without_anybody_asking(site):
    site.worker()
    check(site)


def test_a_deleted_image_is_learned_no_more(site):
    site.worker()
    check(site)
    before = site.kept.record(("label_studio", 3))
    with AnnotationStore(store_folder(site.settings)) as store:
        store.delete(AnnotationKey("label_studio", 1))
    after = until(lambda: (r := site.kept.record(("label_studio", 3))).images == 2 and r)
    assert set(after.known) < set(before.known)
    assert {one.image for one in after.outcomes} <= set(after.known)


def test_a_killed_worker_and_its_job_cost_nothing(site, redis: Redis):
    site.held.touch()
    first = site.worker()
    until(site.begun.exists)
    assert find_job(redis, "memory-label_studio-3").get_status() == "started"
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert site.kept.records() == []
    site.held.unlink()
    site.worker()
    check(site)
