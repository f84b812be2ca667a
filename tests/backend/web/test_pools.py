"""Torch's threads in a serving process: more than one pool of them slows every click down."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

SESSION = """
    import json, os, threading, time

    import cv2
    import numpy as np

    from backend.serving.device_thread import Urgency
    from backend.serving.loading import load_model
    from backend.composition import open_backend
    from backend.settings import load
    from dynamite import Click, ClickSet

    def beside_python(wanted=None):
        deadline = time.monotonic() + 10  # a thread that has ended takes a moment to go
        while True:
            count = len(os.listdir("/proc/self/task")) - threading.active_count()
            if wanted in (None, count) or time.monotonic() > deadline:
                return count
            time.sleep(0.05)

    cv2.connectedComponents(np.zeros((480, 640), np.uint8))  # OpenCV's pool: one for all threads
    counts = [beside_python()]
    settings = load(device="cpu")
    backend = open_backend(settings)
    counts.append(beside_python(counts[0]))
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    features = backend.engine.features("ab", lambda: image, urgency=Urgency.PREWARM)
    backend.engine.segment(features, ClickSet([[Click(200, 200)]]))
    backend.cache.flush()
    counts.append(beside_python(counts[1] + 1))
    backend.engine.swap(load_model(settings))
    backend.engine.segment(features, ClickSet([[Click(100, 200)]]))
    counts.append(beside_python(counts[2]))
    backend.close()
    print(json.dumps(counts))
"""


@pytest.mark.slow
def test_only_the_devices_thread_keeps_a_pool(tmp_path):
    own = {"OMP_NUM_THREADS": "2", "DYNAMITE_STATE_DIR": str(tmp_path)}
    own |= {"REDIS_URL": f"unix://{tmp_path}/nobody"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SESSION)],
        env={n: v for n, v in os.environ.items() if not n.startswith("DYNAMITE_")} | own,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    before, loaded, clicked, swapped = json.loads(done.stdout.splitlines()[-1])
    assert loaded == before, "loading a model leaves threads behind"
    assert clicked == loaded + 1, "beside the device's thread another one used torch"
    assert swapped == clicked, "loading another model leaves threads behind"
