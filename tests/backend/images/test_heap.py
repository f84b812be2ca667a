"""Memory that is given back, in a process that keeps what it frees, as the model's does."""

import os
import subprocess
import sys
from ctypes.util import find_library

import pytest

from backend.launcher.environment import model_environment

PROGRAM = """
from pathlib import Path
from backend.images import heap

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

blocks = [bytearray(b"x" * 3_000_000) for _ in range(50)]
del blocks
kept = resident()
heap.give_back()
print(kept - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", ["glibc", "jemalloc"])
def test_freed_memory_is_kept_until_it_is_given_back(name):
    library = None if name == "glibc" else find_library(name)
    if name == "jemalloc" and library is None:
        pytest.skip("jemalloc is not installed: `apt-get install libjemalloc2`")
    environment = model_environment(1, os.environ, lambda _: library)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, check=True, capture_output=True, text=True
    )
    assert int(done.stdout) > 100_000_000
