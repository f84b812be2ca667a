import os
import time

from backend.label_studio.ingest.events import process_event
from backend.retraining import cleanup
from backend.retraining.cleanup import RUN_SECONDS, SNAPSHOT_SECONDS, clean_up
from backend.retraining.requesting import request_training, take_snapshot
from backend.retraining.training_queue import train_queue
from backend.settings.folders import run_folder, snapshot_folder
from tests.backend.label_studio.ingest.conftest import SOURCE, an_annotation, an_event, parts
from training.annotation_store import AnnotationKey, TaskKey
from training.annotation_store.store import UNUSED_IMAGE_SECONDS


def accept(ingest, *numbers):
    for number in numbers:
        event = an_event(annotation=an_annotation(number, task=number), image=f"/data/{number}.png")
        process_event(event, ingest)


def images(ingest):
    return {path.name for path in (ingest.store.folder / "images").glob("??/*")}


def age(folder, seconds):
    """Nothing in a folder has been touched for so long."""
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (time.time() - seconds, time.time() - seconds))


def test_images_of_deleted_tasks_old_snapshots_and_runs_go(ingest):
    accept(ingest, 1, 2)
    before = images(ingest)
    for number in range(3, 8):
        accept(ingest, number)
        take_snapshot(ingest.settings, ingest.store, "shared")
    newest = take_snapshot(ingest.settings, ingest.store, "shared")
    for folder in snapshot_folder(ingest.settings).iterdir():
        age(folder, SNAPSHOT_SECONDS + 10 if folder == newest.folder else 2 * SNAPSHOT_SECONDS)
    for name, seconds in (("failed", 2 * RUN_SECONDS), ("going", 0)):
        run = run_folder(ingest.settings) / name
        run.mkdir(parents=True)
        age(run, seconds)
    ingest.store.delete_task(TaskKey(SOURCE, 1))
    for path in (ingest.store.folder / "images").glob("??/*"):
        os.utime(path, (time.time() - 2 * UNUSED_IMAGE_SECONDS,) * 2)
    clean_up(*parts(ingest))
    assert len(before - images(ingest)) == 1
    kept = {path.name for path in snapshot_folder(ingest.settings).iterdir()}
    assert len(kept) == 3
    assert newest.digest in kept
    assert [path.name for path in run_folder(ingest.settings).iterdir()] == ["going"]


def test_the_newest_snapshots_go_as_well_in_the_end_for_they_hold_what_was_deleted_since(ingest):
    accept(ingest, 1)
    first = take_snapshot(ingest.settings, ingest.store, "shared").folder
    accept(ingest, 2)
    second = take_snapshot(ingest.settings, ingest.store, "shared").folder
    age(first, RUN_SECONDS + 10)
    age(second, RUN_SECONDS - 100)
    clean_up(*parts(ingest))
    assert [first.is_dir(), second.is_dir()] == [False, True]


def test_the_snapshot_of_a_training_asked_for_at_this_moment_stays(ingest, monkeypatch):
    folders = []
    for number in range(1, 6):
        accept(ingest, number)
        folders.append(take_snapshot(ingest.settings, ingest.store, "shared").folder)
        age(folders[-1], 2 * SNAPSHOT_SECONDS)
    for number in range(2, 6):
        ingest.store.delete(AnnotationKey(SOURCE, number))

    def asked_meanwhile(redis, line):
        request_training(*parts(ingest), "shared", "the button")  # on the same data as the first
        return False

    monkeypatch.setattr(cleanup, "is_training", asked_meanwhile)
    clean_up(*parts(ingest))
    (job,) = train_queue(ingest.redis).jobs
    assert job.args[0]["snapshot"] == str(folders[0])
    assert [folder.is_dir() for folder in folders] == [True, False, False, True, True]


def test_an_old_snapshot_goes_though_its_images_are_put_into_the_store_again(ingest):
    folders = []
    for number in range(1, 6):
        accept(ingest, number)
        folders.append(take_snapshot(ingest.settings, ingest.store, "shared").folder)
        age(folders[-1], 2 * SNAPSHOT_SECONDS)
    for path in (ingest.store.folder / "images").glob("??/*"):
        ingest.store.put_image(path.read_bytes())
    clean_up(*parts(ingest))
    assert [folder.is_dir() for folder in folders] == [False, False, True, True, True]


def test_snapshots_just_taken_stay_however_many_they_are(ingest):
    for number in range(1, 6):
        accept(ingest, number)
        take_snapshot(ingest.settings, ingest.store, "shared")
    clean_up(*parts(ingest))
    assert len(list(snapshot_folder(ingest.settings).iterdir())) == 5


def test_what_was_left_half_written_or_half_removed_goes_after_a_while(ingest):
    kept = {".new.part"}
    for number in range(1, 4):
        accept(ingest, number)
        kept.add(take_snapshot(ingest.settings, ingest.store, "shared").digest)
    for path in snapshot_folder(ingest.settings).iterdir():
        age(path, 2 * SNAPSHOT_SECONDS)
    for name, seconds in (("old.gone", 2 * RUN_SECONDS), ("new.part", 0)):
        folder = snapshot_folder(ingest.settings) / f".{name}"
        folder.mkdir(parents=True)
        age(folder, seconds)
    clean_up(*parts(ingest))
    assert {path.name for path in snapshot_folder(ingest.settings).iterdir()} == kept


def test_while_a_training_is_on_its_way_its_snapshot_stays(ingest):
    for number in range(1, 7):
        accept(ingest, number)
        take_snapshot(ingest.settings, ingest.store, "shared")
        if number == 1:
            request_training(*parts(ingest), "shared", "the first")
    assert train_queue(ingest.redis).count == 1
    clean_up(*parts(ingest))
    assert len(list(snapshot_folder(ingest.settings).iterdir())) == 6
