import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.training.annotation_store.builders import (
    SOURCE,
    annotation,
    photo,
    project,
    rectangle,
    region,
)
from training.annotation_store import (
    AnnotationKey,
    AnnotationStore,
    Origin,
    Outcome,
    Rejection,
    StoreError,
    TaskKey,
)
from training.annotation_store.store import UNUSED_IMAGE_SECONDS

FIRST, SECOND = "2026-01-01T00:00:01.000000+00:00", "2026-01-01T00:00:02.000000+00:00"


@pytest.fixture
def store(tmp_path):
    with AnnotationStore(tmp_path / "store") as store:
        yield store


def test_what_is_put_in_comes_out_after_a_restart(store, tmp_path):
    digest = store.put_image(photo(1))
    kept = annotation(
        7,
        digest,
        annotator=3,
        ground_truth=True,
        regions=[
            region(rectangle(1, 1, 5, 5), origin=Origin.CORRECTED, model_version="m", clicks=4)
        ],
    )
    assert store.apply(kept) is Outcome.STORED
    with AnnotationStore(tmp_path / "store") as again:
        assert again.annotations() == [kept]
        assert again.image_path(digest).read_bytes() == photo(1)
        assert again.projects() == [project(1)]


def test_an_earlier_or_equal_version_changes_nothing(store):
    digest = store.put_image(photo(1))
    newer = annotation(1, digest, updated=SECOND)
    store.apply(newer)
    change = store.change()
    assert store.apply(annotation(1, digest, updated=FIRST, cancelled=True)) is Outcome.NOT_NEWER
    assert store.apply(newer) is Outcome.NOT_NEWER
    assert store.annotations() == [newer]
    assert store.change() == change


def test_a_deleted_annotation_does_not_come_back_by_a_late_event(store):
    digest = store.put_image(photo(1))
    assert store.delete(AnnotationKey(SOURCE, 1)) == 0  # the deletion overtook everything
    assert store.apply(annotation(1, digest, updated=SECOND)) is Outcome.DELETED
    assert store.annotations() == []
    assert store.apply(annotation(1, digest), revive=True) is Outcome.STORED
    assert len(store.annotations()) == 1


events = st.sampled_from(["first", "second", "deleted 2", "other", "deleted 1"])


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.permutations(["first", "second", "other", "deleted 2"]), st.lists(events, max_size=4))
def test_order_and_repetition_of_events_do_not_matter(tmp_path_factory, order, again):
    repeated = [event for event in again if event != "deleted 1"]
    with AnnotationStore(tmp_path_factory.mktemp("s")) as store:
        for event in [*order, *repeated]:
            if event == "deleted 2":
                store.delete(AnnotationKey(SOURCE, 2))
            elif event == "other":
                store.apply(annotation(2, "aa", updated=SECOND))
            else:
                store.apply(annotation(1, "bb", updated=FIRST if event == "first" else SECOND))
        (left,) = store.annotations()
    assert (left.annotation_id, left.updated_at) == (1, SECOND)


def test_what_was_set_aside_is_listed_and_tried_again(store):
    digest = store.put_image(photo(1))
    empty = annotation(1, digest, regions=())
    store.apply(empty, [Rejection("empty_mask", "the mask has no pixel", "r1")])
    (row,) = store.rejected()
    assert (row["annotation"], row["region"], row["code"]) == (1, "r1", "empty_mask")
    assert store.apply(annotation(1, digest)) is Outcome.STORED  # the same version, now sound
    assert store.rejected() == []
    store.apply(annotation(1, digest, updated=SECOND), [Rejection("image_missing", "gone")])
    store.delete(AnnotationKey(SOURCE, 1))
    assert store.rejected() == []


def test_deleting_a_task_or_project_takes_all_its_annotations(store):
    for number, task, of in ((1, 1, 1), (2, 1, 1), (3, 2, 1), (4, 3, 2)):
        store.apply(annotation(number, "aa", task=task, project=of))
    assert store.delete_task(TaskKey(SOURCE, 1)) == 2
    assert store.delete_project(project(2)) == 1
    assert [a.annotation_id for a in store.annotations()] == [3]


def test_new_annotations_are_counted_from_the_last_training(store):
    for number in range(1, 4):
        store.apply(annotation(number, "aa"))
    store.apply(annotation(4, "aa", cancelled=True))
    store.apply(annotation(5, "aa", project=9))
    assert store.new_since_training("line", [project(1)]) == 3
    store.note_trained("line", store.change())
    assert store.new_since_training("line", [project(1)]) == 0
    assert store.new_since_training("other", [project(1)]) == 3
    store.apply(annotation(2, "aa", updated=SECOND))
    assert store.new_since_training("line", [project(1)]) == 1
    store.note_trained("line", 1)  # a slow job that saw less
    assert store.new_since_training("line", [project(1)]) == 1


def age(store, digest):
    long_ago = time.time() - UNUSED_IMAGE_SECONDS - 60
    os.utime(store.image_path(digest), (long_ago, long_ago))


def test_images_of_no_annotation_are_removed(store):
    used, unused = store.put_image(photo(1)), store.put_image(photo(2))
    store.apply(annotation(1, used))
    age(store, used)
    age(store, unused)
    assert store.remove_unused_images() == 1
    assert store.image_path(used).exists()
    assert not store.image_path(unused).exists()


def test_an_image_whose_annotation_is_on_its_way_is_left_alone(store):
    new, known = store.put_image(photo(1)), store.put_image(photo(2))
    age(store, known)
    store.put_image(photo(2))  # another annotation of it is being taken in
    assert store.remove_unused_images() == 0
    assert store.image_path(new).exists()
    assert store.image_path(known).exists()


def test_an_image_put_here_while_others_are_removed_stays(store, monkeypatch):
    photos = {store.put_image(photo(number)): photo(number) for number in (1, 2)}
    for digest in photos:
        age(store, digest)
    unlink = Path.unlink

    def unlink_and_put_the_other(path, missing_ok=False):
        unlink(path, missing_ok)
        photos.pop(path.name)
        for data in photos.values():
            store.put_image(data)

    monkeypatch.setattr(Path, "unlink", unlink_and_put_the_other)
    assert store.remove_unused_images() == 1
    assert [store.image_path(digest).exists() for digest in photos] == [True]


def test_an_image_removed_while_it_is_put_here_again_is_written_again(store, monkeypatch):
    digest, utime = store.put_image(photo(1)), os.utime

    def too_late(path):
        path.unlink()
        utime(path)

    monkeypatch.setattr(os, "utime", too_late)
    assert store.put_image(photo(1)) == digest
    assert store.image_path(digest).read_bytes() == photo(1)


def test_a_task_or_project_deleted_before_its_annotation_arrives_stays_deleted(store):
    store.delete_task(TaskKey(SOURCE, 1))
    store.delete_project(project(2))
    for late in (annotation(1, "aa", task=1), annotation(2, "aa", task=2, project=2)):
        assert store.apply(late) is Outcome.DELETED
        assert store.refusal(late, revive=True) is None
        assert store.apply(late, revive=True) is Outcome.STORED  # Label Studio has it, after all
    assert store.apply(annotation(3, "aa", task=1)) is Outcome.STORED


def test_what_is_set_aside_again_for_the_same_reason_is_no_news(store):
    partly, why = annotation(1, "aa"), [Rejection("empty_mask", "the mask has no pixel", "r2")]
    assert store.apply(partly, why) is Outcome.STORED
    change = store.change()
    assert store.apply(partly, why) is Outcome.NOT_NEWER
    assert store.change() == change
    assert store.apply(partly) is Outcome.STORED


def test_an_annotation_that_cannot_be_kept_is_listed_beside_what_was_kept_before(store):
    kept, why = annotation(1, "aa"), Rejection("bad_annotation", "updated_at is None, not a time")
    store.apply(kept)
    for _ in range(2):
        store.set_aside(annotation(1, "aa", updated=""), why)
    assert [(row["annotation"], row["code"]) for row in store.rejected()] == [(1, why.code)]
    assert store.set_aside_by_task(project(1)) == {1: {1}}
    assert store.annotations() == [kept]
    store.delete(AnnotationKey(SOURCE, 1))
    store.set_aside(annotation(1, "aa", updated=""), why)
    assert store.rejected() == []


def test_a_store_whose_folder_is_away_is_not_begun_anew(tmp_path):
    share = tmp_path / "share"
    with pytest.raises(StoreError, match=f"{share} of the annotation store is missing"):
        AnnotationStore(share / "annotations")
    assert not share.exists()


def test_a_full_disk_is_called_so_and_the_store_goes_on_when_there_is_room(store):
    store.apply(annotation(1, store.put_image(photo(1))))
    pages = store._database.connection.execute("PRAGMA page_count").fetchone()[0]
    store._database.connection.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own full disk
    many = [annotation(number, store.put_image(photo(2))) for number in range(2, 300)]
    with pytest.raises(StoreError, match="disk is full") as told:
        list(map(store.apply, many))
    assert "move it away" not in str(told.value)
    store._database.connection.execute("PRAGMA max_page_count = 100000")
    assert store.apply(annotation(400, store.put_image(photo(2)))) is Outcome.STORED


def test_a_damaged_store_is_to_be_moved_away(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "annotations.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="move it away"):
        AnnotationStore(tmp_path / "store")


@pytest.mark.parametrize("version", [2, 99])
def test_a_store_of_another_format_is_not_touched(store, tmp_path, version):
    store._database.connection.execute(f"PRAGMA user_version = {version}")
    store.close()
    with pytest.raises(StoreError, match=f"format version {version}, this release reads version 1"):
        AnnotationStore(tmp_path / "store")


def test_a_store_of_the_first_format_is_read(tmp_path):
    (tmp_path / "store").mkdir()
    with sqlite3.connect(tmp_path / "store" / "annotations.sqlite") as database:
        database.executescript((Path(__file__).parent / "data" / "store-1.sql").read_text())
    database.close()
    with AnnotationStore(tmp_path / "store") as store:
        kept = [(one.annotation_id, one.images[0].digest[:2]) for one in store.annotations()]
        assert kept == [(1, "ab"), (2, "cd")]
        assert store.annotations()[0].images[0].regions[0].label == "cat"
        assert store.rejections(AnnotationKey("label_studio", 2))[0].code == "bad_mask"
        assert store.apply(annotation(3, "ab" * 32)) == Outcome.DELETED
        assert store.new_since_training("shared", [project(1)]) == 1


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.training.annotation_store.builders import annotation, photo
from training.annotation_store import AnnotationStore
store = AnnotationStore(Path(sys.argv[1]))
for number in range(1, 100000):
    store.apply(annotation(number, store.put_image(photo(number))))
    print(number, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_what_it_had_confirmed(tmp_path):
    here = str(Path(__file__).parents[3])
    command = [sys.executable, "-c", WRITER, str(tmp_path), here]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(os.environ)) as writer:
        for line in writer.stdout:
            if int(line) == 5:
                break
        time.sleep(0.02)
        writer.send_signal(signal.SIGKILL)
        confirmed = [5, *map(int, writer.stdout.read().split())][-1]
    with AnnotationStore(tmp_path) as store:
        kept = store.annotations()
        assert len(kept) in (confirmed, confirmed + 1)
        assert all(store.image_path(a.images[0].digest).is_file() for a in kept)
        assert store.apply(annotation(99999, "aa")) is Outcome.STORED
