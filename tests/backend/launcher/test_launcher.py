import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from redis import Redis

from backend.jobs.job_queue import ingest_queue
from backend.label_studio.ingest.job_names import EVENT_JOB
from backend.launcher.children import MAX_QUICK_RESTARTS, Child, Supervisor
from backend.launcher.environment import GLIBC, JEMALLOC, SPINNING, model_environment
from backend.launcher.preflight import (
    StartError,
    lock_state_folder,
)
from backend.launcher.private_files import private_files
from backend.launcher.valkey import QueueError, valkey_child, wait_until_ready
from backend.settings.url_checks import without_password

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def running(command):
    return Child("sleeper", command, dict(os.environ))


def test_a_child_is_stopped_with_what_it_started(tmp_path):
    note = tmp_path / "pid"
    code = f"""
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        open({str(note)!r} + ".part", "w").write(str(child.pid))
        import os; os.rename({str(note)!r} + ".part", {str(note)!r})
        time.sleep(600)
    """
    child = running([sys.executable, "-c", textwrap.dedent(code)])
    child.start()
    until(note.exists)
    grandchild = int(note.read_text())
    assert is_alive(grandchild)
    child.stop()
    assert child.status is not None
    until(lambda: not is_alive(grandchild))


def test_a_child_hears_no_ctrl_c_but_shares_our_session():
    """The kernel divides cores evenly between sessions, regardless of niceness."""
    child = running(SLEEP)
    child.start()
    try:
        pid = child.process.pid
        assert os.getpgid(pid) == pid
        assert os.getsid(pid) == os.getsid(0)
    finally:
        child.stop()


def test_a_child_that_ignores_sigterm_is_killed(tmp_path):
    note = tmp_path / "ready"
    code = (
        "import signal, time, pathlib; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"pathlib.Path({str(note)!r}).touch(); time.sleep(600)"
    )
    child = running([sys.executable, "-c", code])
    child.stop_seconds = 0.2
    child.start()
    until(note.exists)
    child.stop()
    assert child.status == -signal.SIGKILL


def test_children_of_one_group_are_asked_to_stop_together(tmp_path):
    """Each ends only once the other one has been asked, too."""
    program = """
import signal, sys, time
from pathlib import Path
mine, other = map(Path, sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: mine.touch())
mine.with_suffix(".ready").touch()
while not (mine.exists() and other.exists()):
    time.sleep(0.01)
"""
    supervisor, files = Supervisor(), [tmp_path / "a", tmp_path / "b"]
    children = []
    for mine, other in (files, files[::-1]):
        command = [sys.executable, "-c", program, str(mine), str(other)]
        child = Child(mine.name, command, {}, group="web", stop_seconds=60)
        children.append(supervisor.add(child))
    while not all(path.with_suffix(".ready").exists() for path in files):
        time.sleep(0.01)
    supervisor.stop()
    assert [child.status for child in children] == [0, 0]


def test_no_child_survives_a_launcher_killed_with_9(tmp_path):
    note = tmp_path / "pids"
    code = f"""
        import os
        from pathlib import Path
        from backend.launcher.children import Supervisor, Child
        from backend.launcher.valkey import valkey_child, wait_until_ready
        folder = Path({str(tmp_path)!r})
        supervisor = Supervisor()
        one = supervisor.add(valkey_child(folder / "s", folder))
        wait_until_ready(f"unix://{{folder / 's'}}", one)
        two = supervisor.add(Child("sleeper", {SLEEP!r}, dict(os.environ)))
        (folder / "part").write_text(f"{{one.process.pid}} {{two.process.pid}}")
        (folder / "part").rename({str(note)!r})
        supervisor.watch()
    """
    launcher = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
    until(note.exists)
    children = [int(pid) for pid in note.read_text().split()]
    assert all(map(is_alive, children))
    launcher.kill()
    launcher.wait()
    until(lambda: not any(map(is_alive, children)))


def test_what_dies_starts_again_and_rests_when_it_dies_too_often():
    supervisor = Supervisor()
    said = []

    def tell(line):
        said.append(line)
        supervisor.stopping = len(said) > MAX_QUICK_RESTARTS

    supervisor.add(running([sys.executable, "-c", "raise SystemExit(7)"]))
    try:
        supervisor.watch(tell, poll=0.01)
    finally:
        supervisor.stop()
    assert said[0] == "The sleeper ended with status 7; restarting now."
    assert said[-1] == "The sleeper ended with status 7; restarting in 60 s."


def test_one_that_cannot_be_started_again_ends_none_of_the_others(tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexit 7\n")
    program.chmod(0o700)
    supervisor = Supervisor()
    said = []

    def tell(line):
        said.append(line)
        program.unlink(missing_ok=True)
        supervisor.stopping = len(said) == 2

    other = supervisor.add(running(SLEEP))
    supervisor.add(running([str(program)]))
    try:
        supervisor.watch(tell, poll=0.01)
        assert other.status is None
    finally:
        supervisor.stop()
    assert said[1].startswith("Cannot start the sleeper: ")
    assert "No such file or directory" in said[1]


def test_two_queue_servers_do_not_share_a_folder(tmp_path):
    first, second = lock_state_folder(tmp_path), lock_state_folder(tmp_path)
    with first, pytest.raises(StartError, match="another `dynamite serve` runs in"), second:
        pass
    with lock_state_folder(tmp_path):  # the first has ended
        pass


@pytest.mark.security
def test_the_password_of_the_queue_is_in_no_command_line(tmp_path):
    """All users of the machine can read command lines."""
    child = valkey_child(tmp_path / "s", tmp_path)
    child.command = [*child.command, "--requirepass", "a-secret"]
    child.start()
    url = f"unix://:a-secret@{tmp_path / 's'}"
    try:
        wait_until_ready(url, child)
        with Redis.from_url(url) as client:
            ingest_queue(client).enqueue(EVENT_JOB, {})
        burst = [sys.executable, "-m", "backend.cli", "worker", "--burst"]
        own = {"REDIS_URL": url, "DYNAMITE_STATE_DIR": str(tmp_path / "state")}
        with subprocess.Popen(burst, env=os.environ | own) as worker:
            seen = set()
            while worker.poll() is None:
                seen.update(command_lines(worker.pid))
        assert worker.returncode == 0
    finally:
        child.stop()
    assert any("backend.launcher.job_process" in line for line in seen)
    assert not any("a-secret" in line for line in seen)


def command_lines(parent):
    """The command lines of a process and of those that it has started."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            other = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in (other, int(folder.name)):
                yield (folder / "cmdline").read_text()


@pytest.mark.parametrize("quiet", [False, True])
def test_a_worker_says_what_it_works_on_and_that_it_stops(tmp_path, queue_server, redis, quiet):
    """With --quiet, as started by `serve`, it prints nothing."""
    own = {"REDIS_URL": f"{queue_server}?password=", "DYNAMITE_STATE_DIR": str(tmp_path / "state")}
    command = [sys.executable, "-m", "backend.cli", "worker", "--queues", "ingest,train", "--burst"]
    command += ["--quiet"] * quiet
    done = subprocess.run(
        command, env=os.environ | own, cwd=tmp_path, check=True, capture_output=True, text=True
    )
    if quiet:
        assert done.stderr == done.stdout == ""
        return
    start, stop = done.stderr.splitlines()
    assert start.endswith(f"takes jobs of ingest, train from the queue server {queue_server}")
    assert stop.endswith("the worker has stopped")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://anna:secret@[::1]:6379/2?password=secret", "redis://[::1]:6379/2"),
        ("unix://:secret@/run/valkey.sock?db=1", "unix:///run/valkey.sock"),
        ("rediss://queue:6379", "rediss://queue:6379"),
    ],
)
def test_the_address_of_a_queue_is_shown_without_its_password(url, shown):
    assert without_password(url) == shown


def test_the_queue_server_keeps_what_it_has_when_killed(tmp_path):
    url = f"unix://{tmp_path / 's'}"
    child = valkey_child(tmp_path / "s", tmp_path)
    child.start()
    try:
        wait_until_ready(url, child)
        with Redis.from_url(url) as client:
            client.set("kept", "yes")
            client.execute_command("WAITAOF", 1, 0, 5000)
        child.process.kill()
        child.process.wait()
        child.start()
        wait_until_ready(url, child)
        with Redis.from_url(url) as client:
            assert client.get("kept") == b"yes"
    finally:
        child.stop()


def test_a_queue_server_that_cannot_start_is_named_with_its_log(tmp_path):
    child = valkey_child(tmp_path / "s", tmp_path)
    child.command = [child.command[0], "--no-such-option", "x"]
    child.start()
    with pytest.raises(QueueError, match=r"valkey\.log"):
        wait_until_ready(f"unix://{tmp_path / 's'}", child)
    child.stop()


def test_a_damaged_file_of_the_queue_server_is_told_with_what_mends_it(tmp_path):
    url = f"unix://{tmp_path / 's'}"
    child = valkey_child(tmp_path / "s", tmp_path / "valkey")
    child.start()
    wait_until_ready(url, child)
    child.stop()
    (file,) = (tmp_path / "valkey").rglob("*.incr.aof")
    file.write_bytes(b"nothing it ever wrote\r\n" + file.read_bytes())
    child.start()
    with pytest.raises(QueueError, match="status 1: “Bad file format reading") as error:
        wait_until_ready(url, child)
    child.stop()
    assert f"move the folder {tmp_path / 'valkey'} away and start again" in str(error.value)
    (tmp_path / "valkey").rename(tmp_path / "away")
    anew = valkey_child(tmp_path / "s", tmp_path / "valkey")
    anew.start()
    wait_until_ready(url, anew)
    anew.stop()


def test_a_configured_queue_that_is_away_is_an_error_at_once(tmp_path):
    with pytest.raises(QueueError, match="does not answer"):
        wait_until_ready(f"unix://{tmp_path / 'nobody'}")


def test_what_is_no_queue_server_is_an_error_at_once():
    with socket.create_server(("127.0.0.1", 0)) as web:

        def answer():
            with web.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(QueueError, match="does not answer"):
            wait_until_ready(f"redis://127.0.0.1:{web.getsockname()[1]}")
        thread.join()
    with pytest.raises(QueueError, match="does not answer"):
        wait_until_ready("redis://queue..internal")


def test_the_model_gets_tuned_memory_and_threads_unless_the_user_tuned_them():
    assert model_environment(3, {})["OMP_NUM_THREADS"] == "3"
    assert int(model_environment(0, {})["OMP_NUM_THREADS"]) >= 1
    assert (GLIBC | SPINNING).items() <= model_environment(1, {}, lambda _: None).items()
    mine = {"MALLOC_ARENA_MAX": "4", "OMP_NUM_THREADS": "7", "GOMP_SPINCOUNT": "5"}
    assert mine.items() <= model_environment(1, mine).items()
    assert not SPINNING.keys() & model_environment(1, {"OMP_WAIT_POLICY": "active"}).keys()


def test_the_model_gets_jemalloc_where_the_system_has_it_and_the_user_preloads_nothing():
    found = model_environment(1, {}, "lib{}.so.2".format)
    assert found["LD_PRELOAD"] == "libjemalloc.so.2"
    assert JEMALLOC.items() <= found.items()
    assert not GLIBC.keys() & found.keys()
    preloaded = model_environment(1, {"LD_PRELOAD": "mine.so"}, "lib{}.so.2".format)
    assert preloaded["LD_PRELOAD"] == "mine.so"
    assert not JEMALLOC.keys() & preloaded.keys()


@pytest.mark.security
def test_what_the_launcher_starts_makes_private_files(tmp_path):
    before = os.umask(0o022)
    try:
        with private_files():
            child = Child("maker", ["mkdir", str(tmp_path / "made")], dict(os.environ))
            child.start()
            child.process.wait()
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o700
