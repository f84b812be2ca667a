"""A small web application under the real web server, in a process of its own."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

from tests.ports import free_port


@contextmanager
def served(folder, program, **options):
    """Run a program that answers /health; yield its port and its process."""
    port = free_port()
    own = {"DYNAMITE_PORT": str(port), "DYNAMITE_STATE_DIR": str(folder), "DYNAMITE_THREADS": "2"}
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=os.environ | own, cwd=folder, **options
    )
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                health(port)
                break
            except URLError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield port, process
    finally:
        process.terminate()
        process.wait(60)


def health(port, timeout=60, path="health"):
    with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=timeout) as answer:
        return json.load(answer)["status"]
