"""What the tests of the backend share."""

import pytest

from backend.launcher.valkey import valkey_child, wait_until_ready


@pytest.fixture(scope="session")
def queue_server(tmp_path_factory):
    """The address of the embedded queue server, really running."""
    folder = tmp_path_factory.mktemp("queue")
    child = valkey_child(folder / "q.sock", folder)
    child.start()
    url = f"unix://{folder / 'q.sock'}"
    wait_until_ready(url, child)
    yield url
    child.stop()
