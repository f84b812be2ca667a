"""The real `dynamite serve`: queue server, workers and web server as processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from backend.launcher.preflight import lock_state_folder
from tests.ports import free_port

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Random weights."""
    import dynamite
    from dynamite.checkpoints import checkpoint

    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    checkpoint.save(dynamite.load("lite", random_weights=True), path, {})
    return path


@pytest.fixture
def environment(tmp_path, checkpoint):
    own = {
        "DYNAMITE_PORT": str(free_port()),
        "DYNAMITE_STATE_DIR": str(tmp_path / "state"),
        "DYNAMITE_CHECKPOINT": str(checkpoint),
        "DYNAMITE_DEVICE": "cpu",
        "PYTHONUNBUFFERED": "1",
    }
    return {name: value for name, value in os.environ.items() if name != "REDIS_URL"} | own


def descendants(pid):
    """Return all descendants of a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if parent == pid:
            child = int(path.parent.name)
            found += [child, *descendants(child)]
    return found


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def start(environment, folder, *options):
    return subprocess.Popen(
        [sys.executable, "-m", "backend.cli", "serve", *options],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def health(environment):
    """Return the answer of /health; None while the port is closed. An open port must answer."""
    port = int(environment["DYNAMITE_PORT"])
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", port)):
            return None
    with urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
        return json.load(answer)


def wait_until_up(process, environment):
    deadline = time.monotonic() + 200
    while (answer := health(environment)) is None:
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return answer


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def environment_of(pid):
    pairs = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if pair)


def free_ports(count):
    """The first of so many free ports in a row."""
    while True:
        port = free_port()
        taken = []
        for number in range(count):
            with socket.socket() as probe:
                taken.append(probe.connect_ex(("127.0.0.1", port + number)) == 0)
        if not any(taken):
            return port


def wait_until_closed(environment):
    """Wait for the threads of a killed process: the port is open until the last one is gone."""
    deadline = time.monotonic() + 20
    while True:
        assert time.monotonic() < deadline
        with suppress(ConnectionError):
            if health(environment) is None:
                return
        time.sleep(0.05)


def wait_until_gone(processes):
    deadline = time.monotonic() + 20
    while any(map(is_alive, processes)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL])
def test_it_serves_says_so_and_leaves_nothing_behind(environment, tmp_path, stop):
    process = start(environment, tmp_path)
    try:
        answer = wait_until_up(process, environment)  # weights are loaded before the port opens
        assert answer["status"] == "UP"
        lines = []
        while not lines or "Ctrl-C" not in lines[-1]:
            lines.append(process.stdout.readline())
        text = "".join(lines)
        assert f"http://127.0.0.1:{environment['DYNAMITE_PORT']}" in text
        assert f"model {answer['model_version']} on cpu" in text
        children = descendants(process.pid)
        assert len(children) >= 4  # queue server, worker, web master, web worker
        made = [tmp_path / "state", *(tmp_path / "state").rglob("*")]
        open_to_others = [path for path in made if path.stat().st_mode & 0o077]
        assert len(made) > 5
        assert open_to_others == []
        process.send_signal(stop)
        assert process.wait(40) == (-stop if stop is signal.SIGKILL else 0)
        wait_until_gone(children)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_web_server_for_each_device(environment, tmp_path):
    port = free_ports(2)
    first, second = (environment | {"DYNAMITE_PORT": str(port + n)} for n in range(2))
    process = start({**first, "DYNAMITE_DEVICE": ""}, tmp_path, "--devices", "cpu,cpu")
    try:
        assert wait_until_up(process, first)["device"] == "cpu"
        assert wait_until_up(process, second)["device"] == "cpu"
        while "Ctrl-C" not in process.stdout.readline():
            pass
        webs = [pid for pid in descendants(process.pid) if "launcher.web" in command_of(pid)]
        workers = [pid for pid in descendants(process.pid) if "--queues" in command_of(pid)]
        assert len(webs) == 4  # a master and its worker each
        assert len(workers) == 2  # ingest and train, once
        dying = [pid for pid in webs if environment_of(pid)["DYNAMITE_PORT"] == str(port + 1)]
        for pid in dying:
            os.kill(pid, signal.SIGKILL)
        wait_until_closed(second)
        assert "port" in (said := process.stdout.readline())
        assert "restarting now" in said
        assert health(first) is not None
        wait_until_up(process, second)
        children = descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        wait_until_gone(children)
        assert health(first) is health(second) is None
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_two_launchers_in_one_state_folder_are_refused_in_words(environment, tmp_path):
    process = start(environment, tmp_path)
    try:
        wait_until_up(process, environment)
        queue = f"unix://{tmp_path}/state/valkey.sock"
        other = {**environment, "DYNAMITE_PORT": str(free_port()), "REDIS_URL": queue}
        output, _ = (second := start(other, tmp_path)).communicate(timeout=200)
        assert second.returncode == 1
        assert "serve` runs in the state folder" in output
        assert len(output.splitlines()) == 1, output
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def test_one_that_is_stopped_while_it_starts_says_so(environment, tmp_path):
    process = start(environment, tmp_path)
    while not (children := descendants(process.pid)):
        time.sleep(0.01)
    while process.poll() is None:  # `make` and `timeout` send several, and late ones
        process.send_signal(signal.SIGTERM)
        time.sleep(0.001)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said == "Stopping.\nError: stopped before the backend had started\n"
    wait_until_gone(children)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"DYNAMITE_CHECKPOINT": "nothing.safetensors"}, "nothing.safetensors does not exist"),
        ({"DYNAMITE_CHECKPOINT": __file__}, "is not a checkpoint"),
        ({"DYNAMITE_STATE_DIR": "/proc/nowhere"}, "is not writable"),
        ({"REDIS_URL": "unix:///nowhere.sock"}, "does not answer"),
        ({"REDIS_URL": "localhost:6379"}, "REDIS_URL must be like redis://"),
    ],
)
def test_what_cannot_start_says_why_without_a_traceback(environment, tmp_path, change, words):
    process = start(environment | change, tmp_path)
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 1
    assert words in output
    assert "Traceback" not in output
    assert len(output.splitlines()) <= 2, output


def test_a_second_one_on_the_same_state_folder_says_so_and_harms_nothing(environment, tmp_path):
    (tmp_path / "state").mkdir(mode=0o700)
    with lock_state_folder(tmp_path / "state"):  # as the first one does while it runs
        before = sorted((tmp_path / "state").rglob("*"))
        process = start(environment, tmp_path)
        output, _ = process.communicate(timeout=200)
        assert sorted((tmp_path / "state").rglob("*")) == before
    assert process.returncode == 1
    assert "serve` runs in the state folder" in output
    assert "DYNAMITE_STATE_DIR" in output
    assert "Traceback" not in output
