"""What ``dynamite doctor`` says of the queue."""

import pytest

from backend.doctor.checks import check_queue
from backend.doctor.findings import Verdict
from backend.settings import load


def test_a_queue_that_answers_is_good(queue_server):
    (found,) = check_queue(load(redis_url=queue_server))
    assert found.verdict is Verdict.GOOD


@pytest.mark.parametrize("url", ["unix:///nowhere.sock", "redis://queue..internal"])
def test_one_that_does_not_is_to_be_mended(url):
    (found,) = check_queue(load(redis_url=url))
    assert found.verdict is Verdict.BAD
    assert "REDIS_URL" in found.mend
