"""What the jobs work with, where a share may be away."""

import pytest
from redis import Redis

from backend.label_studio.ingest.ingest import open_ingest
from backend.settings import load
from tests.backend.label_studio.ingest.conftest import SOURCE
from training.annotation_store import AnnotationKey, StoreError


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
    with open_ingest(settings):
        pass
    with open_ingest(settings) as ingest:  # empty, so it may be gone
        ingest.store.delete(AnnotationKey(SOURCE, 1))
    with open_ingest(settings):
        pass
    (tmp_path / "share").rename(tmp_path / "away")
    (tmp_path / "share").mkdir()
    with (
        pytest.raises(StoreError, match="is gone, or its share is not mounted"),
        open_ingest(settings),
    ):
        pass
    assert not list((tmp_path / "share").iterdir())
    with open_ingest(settings, new_store=True) as ingest:  # `dynamite sync`
        ingest.store.delete(AnnotationKey(SOURCE, 1))
    with open_ingest(settings):
        pass


def test_a_store_restored_without_its_bookkeeping_is_compared_again(settings, tmp_path):
    file = tmp_path / "share" / "annotations" / "annotations.sqlite"
    with open_ingest(settings) as ingest:
        ingest.store.delete(AnnotationKey(SOURCE, 1))
        ingest.bookkeeping.note_compared(1, 3, "as it was", ingest.store.change())
    backup = file.read_bytes()
    with open_ingest(settings) as ingest:
        ingest.store.delete(AnnotationKey(SOURCE, 2))
        ingest.bookkeeping.note_compared(2, 3, "as it was", ingest.store.change())
    with open_ingest(settings) as ingest:
        assert ingest.bookkeeping.compared(3) == {1: "as it was", 2: "as it was"}
    file.write_bytes(backup)
    with open_ingest(settings) as ingest:
        assert ingest.bookkeeping.compared(3) == {1: "as it was"}
