"""Real dependencies that hang, drip, fill up or answer rubbish: what a click and the page say.

``docs/reliability.md`` lists all faults with their tests.
"""

import os
import signal
import socketserver
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from redis import Redis

from backend.features.cache import FeatureCache, Tier
from backend.jobs.event_spool import Spool
from backend.label_studio.access import Access
from backend.label_studio.ingest.events import process_event
from backend.label_studio.task_images import open_fetcher
from backend.launcher.valkey import valkey_child, wait_until_ready
from tests.backend.features.conftest import Fake
from tests.backend.http_servers import SLOW
from tests.backend.label_studio.ingest.conftest import an_annotation, an_event, brush, mask
from tests.backend.label_studio.ingest.conftest import make_ingest as _make_ingest
from training.annotation_store import AnnotationStore, StoreError

pytestmark = pytest.mark.security

make_ingest = _make_ingest

EVENT = {"action": "ANNOTATION_CREATED", "project": {"id": 1}, "task": {"id": 2}}
EVENT |= {"annotation": {"id": 3, "task": 2, "result": []}}
DAY = 24 * 3600
FULL = "the disk of the state folder (DYNAMITE_STATE_DIR) is full"


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


class TestQueueServer:
    @pytest.fixture
    def server(self, tmp_path):
        """A queue server of the test's own: its address and its process."""
        child = valkey_child(tmp_path / "own.sock", tmp_path / "own")
        child.start()
        url = f"unix://{tmp_path}/own.sock"
        wait_until_ready(url, child)
        with Redis.from_url(url) as redis:
            number = redis.info("server")["process_id"]
        yield url, number
        os.kill(number, signal.SIGCONT)
        child.stop()

    def test_suspended_it_delays_no_click_and_loses_no_event(
        self, make_backend, click, server, monkeypatch
    ):
        url, number = server
        backend = make_backend(redis_url=url, answer_seconds=0.5)
        (before,) = backend.result(click("A", 100, 100))
        os.kill(number, signal.SIGSTOP)
        (after,) = backend.result(click("A", 100, 100), click("A", 120, 100))
        assert after["id"] == before["id"]
        answer = backend.client.post("/webhook", json=EVENT)
        assert (answer.status_code, answer.json["status"]) == (201, "kept until the queue is back")
        with monkeypatch.context() as patch:  # each further question would take its time
            patch.setattr(backend.parts.model_status, "training", pytest.fail)
            assert "does not answer" in backend.client.get("/").text
        assert "dynamite_queue_up 0.0" in backend.client.get("/metrics").text
        assert backend.client.get("/health").json["workers"] is None
        os.kill(number, signal.SIGCONT)
        until(lambda: backend.parts.queue.on_disk == 0)
        assert backend.parts.queue.depths()["ingest"]["waiting"] == 1

    @pytest.mark.parametrize("rubbish", [b"HTTP/1.1 400 Bad\r\n\r\n", b"\xff" * 99, b"$-9\r\n"])
    def test_one_that_speaks_otherwise_delays_no_click(self, make_backend, click, rubbish):
        class Other(socketserver.BaseRequestHandler):
            def handle(self):
                while self.request.recv(1000):
                    self.request.sendall(rubbish)

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Other) as server:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.02,)).start()
            backend = make_backend(redis_url=f"redis://127.0.0.1:{server.server_address[1]}")
            assert len(backend.result(click("A", 100, 100))) == 1
            assert backend.client.post("/webhook", json=EVENT).status_code == 201
            assert backend.parts.queue.on_disk == 1
            assert "does not answer" in backend.client.get("/").text
            backend.parts.close()
            server.shutdown()


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of its own, of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    """Take all that is left of a disk; return the file that holds it."""
    path = folder / "filling"
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return path


class TestFullDisk:
    def test_clicks_go_on_and_an_event_is_refused_by_name(self, make_backend, click, small_disk):
        backend = make_backend(redis_url="redis://127.0.0.1:1", state_dir=small_disk / "state")
        filling = fill(small_disk)
        assert len(backend.result(click("A", 100, 100))) == 1
        answer = backend.client.post("/webhook", json=EVENT)
        assert (answer.status_code, answer.json["error"]["code"]) == (507, "disk_full")
        assert answer.json["error"]["message"].startswith(FULL)
        assert FULL in backend.client.get("/").text
        assert backend.parts.queue.on_disk == 0  # no half of an event
        filling.unlink()
        assert backend.client.post("/webhook", json=EVENT).status_code == 201

    def test_features_are_kept_in_memory_and_the_log_says_so_once(self, small_disk, caplog):
        cache = FeatureCache(
            Fake.from_bytes, folder=small_disk / "features", memory_bytes=10**8, disk_bytes=10**8
        )
        made = [cache.get(name, "v", lambda name=name: Fake(name, 10**6)) for name in "abcd"]
        until(lambda: cache.tiers()[-1].is_off)
        assert [cache.get(name, "v", AssertionError) for name in "abcd"] == made
        cache.close()
        assert caplog.text.count("No space left on device") == 1
        assert not list((small_disk / "features").glob(".*"))  # no half of a file

    @pytest.mark.parametrize("is_off", [True, False])
    def test_the_page_says_that_features_are_not_kept(self, backend, monkeypatch, is_off):
        tier = Tier("disk", 0, 0, 10**9, 0, is_off=is_off)
        monkeypatch.setattr(backend.parts.cache, "tiers", lambda: [tier])
        assert ("pauses: it was late" in backend.client.get("/").text) == is_off

    def test_an_accepted_annotation_waits_until_there_is_room(self, small_disk, make_ingest):
        ingest = make_ingest(train_after=0)
        with AnnotationStore(small_disk / "annotations") as store:
            full = replace(ingest, store=store)
            filling = fill(small_disk)
            event = an_event(annotation=an_annotation(1, brush(mask())))
            with pytest.raises((StoreError, OSError)) as caught:  # the job is tried again
                process_event(event, full)
            assert "full" in str(caught.value) or "No space left" in str(caught.value)
            assert store.annotations() == []
            filling.unlink()
            process_event(event, full)
            assert [one.annotation_id for one in store.annotations()] == [1]


@pytest.mark.parametrize("kind", SLOW)
def test_a_click_on_an_image_that_drips_says_which_server_and_setting(
    make_backend, click, task, serve, caplog, kind
):
    server = serve({"/a.png": SLOW[kind]})
    backend = make_backend(image_hosts=(server.at,), image_timeout=0.5)
    fetcher = open_fetcher(backend.settings, Access(None, None))
    backend.parts.label_studio.connection.images.use(fetcher)
    own = task(image=f"{server.url}/a.png")
    answer = backend.predict({"result": [click("A", 100, 100)]}, task=own)
    assert (answer.status_code, answer.json["error"]["code"]) == (504, "image_timeout")
    for place in (answer.status, caplog.text, backend.client.get("/").text):
        assert f"{server.url}/a.png did not answer in full within 0.5 seconds" in place
        assert "DYNAMITE_IMAGE_TIMEOUT" in place


class TestClock:
    def test_clicks_and_events_do_not_mind_its_jumps(self, make_backend, click, monkeypatch, redis):
        backend = make_backend()
        now, now_ns, ids = time.time, time.time_ns, set()
        for number, days in enumerate((0, 30, -400, 3650, 0)):
            monkeypatch.setattr(time, "time", lambda days=days: now() + days * DAY)
            monkeypatch.setattr(time, "time_ns", lambda days=days: now_ns() + days * DAY * 10**9)
            points = [click("A", 100 + 5 * one, 100) for one in range(number + 1)]
            ids |= {region["id"] for region in backend.result(*points)}
            assert backend.client.post("/webhook", json=EVENT).json["status"] == "enqueued"
            assert backend.client.get("/").status_code == 200
        assert len(ids) == 1
        assert backend.parts.queue.depths()["ingest"]["waiting"] == 5

    def test_events_that_wait_on_disk_are_all_delivered(self, tmp_path, monkeypatch):
        delivered, now = [], time.time_ns
        spool = Spool(tmp_path, delivered.append, every=0.05)
        for days in (0, 30, -400, 3650):
            monkeypatch.setattr(time, "time_ns", lambda days=days: now() + days * DAY * 10**9)
            spool.put({"days": days})
        until(lambda: len(delivered) == 4)
        spool.close()
        assert {event["days"] for event in delivered} == {0, 30, -400, 3650}
