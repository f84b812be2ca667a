"""Events on disk: delivered once, however many processes share the folder."""

import subprocess
import sys
import threading
import time
from pathlib import Path

from backend.jobs.event_spool import Spool, alone_in


def until(is_true):
    deadline = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_two_that_share_a_folder_deliver_each_event_once(tmp_path):
    delivered, lock = [], threading.Lock()

    def deliver(event):
        with lock:
            delivered.append(event["number"])
        time.sleep(0.001)

    spools = [Spool(tmp_path, deliver, every=0.001) for _ in range(2)]
    for number in range(100):
        spools[number % 2].put({"number": number})
    until(lambda: not len(spools[0]))
    for spool in spools:
        spool.close()
    assert sorted(delivered) == list(range(100))
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_is_killed_leaves_the_folder_to_the_others(tmp_path):
    program = f"""
import time
from pathlib import Path
from backend.jobs.event_spool import alone_in
with alone_in(Path({str(tmp_path)!r})) as is_alone:
    print(is_alone, flush=True)
    time.sleep(60)
"""
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "True\n"
        with alone_in(tmp_path) as is_alone:
            assert not is_alone
        other.kill()
        other.wait()
        with alone_in(tmp_path) as is_alone:
            assert is_alone


def test_a_folder_that_is_gone_is_nobodys(tmp_path):
    with alone_in(tmp_path / "gone") as is_alone:
        assert not is_alone
