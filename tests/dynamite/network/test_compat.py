"""timm can be imported even if torchvision is broken."""

import subprocess
import sys

import pytest

THREADS = """
import sys
from concurrent.futures import ThreadPoolExecutor
import dynamite.network._compat, dynamite.network.backbones
assert "timm" not in sys.modules and "torchvision" not in sys.modules, "work at import"
with ThreadPoolExecutor(4) as pool:
    modules = [pool.submit(dynamite.network._compat.import_timm) for _ in range(4)]
assert len({id(module.result()) for module in modules}) == 1
import torchvision.ops
"""


@pytest.mark.slow
def test_timm_is_imported_once_and_only_when_asked() -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", THREADS], check=True, timeout=120)
