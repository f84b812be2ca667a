import pytest

from tests.training.retraining.serving import Backend


@pytest.fixture
def start(tmp_path):
    running = []

    def begin(*arguments, **settings):
        running.append(Backend(tmp_path, *arguments, **settings))
        return running[-1]

    yield begin
    for backend in running:
        backend.close()
