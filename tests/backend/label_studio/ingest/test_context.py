"""What the jobs work with, where a share may be away."""

import pytest
from redis import Redis

from backend.label_studio.ingest.context import open_context
from backend.settings import load
from training.annotation_store import StoreError


@pytest.fixture
def settings(tmp_path, queue_server):
    with Redis.from_url(queue_server) as redis:
        redis.flushall()
    (tmp_path / "share").mkdir()
    return load(
        redis_url=queue_server,
        retraining_dir=tmp_path / "share",
        state_dir=tmp_path / "state",
    )


def test_a_store_that_is_gone_with_its_share_is_not_begun_anew_in_the_mount_point(
    settings, tmp_path
):
    with open_context(settings):
        pass
    with open_context(settings) as context:  # empty, so it may be gone
        context.store.delete(1)
    with open_context(settings):
        pass
    (tmp_path / "share").rename(tmp_path / "away")
    (tmp_path / "share").mkdir()
    with (
        pytest.raises(StoreError, match="is gone, or its share is not mounted"),
        open_context(settings),
    ):
        pass
    assert not list((tmp_path / "share").iterdir())
    with open_context(settings, anew=True) as context:  # `dynamite sync`
        context.store.delete(1)
    with open_context(settings):
        pass
