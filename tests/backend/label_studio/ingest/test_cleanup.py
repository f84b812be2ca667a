import os
import time

from backend.label_studio.ingest.events import take
from backend.retraining import cleanup
from backend.retraining.cleanup import RUN_SECONDS, SNAPSHOT_SECONDS, clean_up
from backend.retraining.requesting import request_training, take_snapshot
from backend.retraining.training_queue import train_queue
from backend.settings.folders import run_folder, snapshot_folder
from tests.backend.label_studio.ingest.conftest import an_annotation, an_event, parts
from training.annotation_store.store import IMAGE_SECONDS


def accept(context, *numbers):
    for number in numbers:
        event = an_event(annotation=an_annotation(number, task=number), image=f"/data/{number}.png")
        take(event, context)


def images(context):
    return {path.name for path in (context.store.folder / "images").glob("??/*")}


def age(folder, seconds):
    """Nothing in a folder has been touched for so long."""
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (time.time() - seconds, time.time() - seconds))


def test_images_of_deleted_tasks_old_snapshots_and_runs_go(context):
    accept(context, 1, 2)
    before = images(context)
    for number in range(3, 8):
        accept(context, number)
        take_snapshot(context.settings, context.store, "shared")
    newest = take_snapshot(context.settings, context.store, "shared")
    for folder in snapshot_folder(context.settings).iterdir():
        age(folder, SNAPSHOT_SECONDS + 10 if folder == newest.folder else 2 * SNAPSHOT_SECONDS)
    for name, seconds in (("failed", 2 * RUN_SECONDS), ("going", 0)):
        run = run_folder(context.settings) / name
        run.mkdir(parents=True)
        age(run, seconds)
    context.store.delete_task(1)
    for path in (context.store.folder / "images").glob("??/*"):
        os.utime(path, (time.time() - 2 * IMAGE_SECONDS,) * 2)
    clean_up(*parts(context))
    assert len(before - images(context)) == 1
    kept = {path.name for path in snapshot_folder(context.settings).iterdir()}
    assert len(kept) == 3
    assert newest.digest in kept
    assert [path.name for path in run_folder(context.settings).iterdir()] == ["going"]


def test_the_newest_snapshots_go_as_well_in_the_end_for_they_hold_what_was_deleted_since(context):
    accept(context, 1)
    first = take_snapshot(context.settings, context.store, "shared").folder
    accept(context, 2)
    second = take_snapshot(context.settings, context.store, "shared").folder
    age(first, RUN_SECONDS + 10)
    age(second, RUN_SECONDS - 100)
    clean_up(*parts(context))
    assert [first.is_dir(), second.is_dir()] == [False, True]


def test_the_snapshot_of_a_training_asked_for_at_this_moment_stays(context, monkeypatch):
    folders = []
    for number in range(1, 6):
        accept(context, number)
        folders.append(take_snapshot(context.settings, context.store, "shared").folder)
        age(folders[-1], 2 * SNAPSHOT_SECONDS)
    for number in range(2, 6):
        context.store.delete(number)

    def asked_meanwhile(redis, line):
        request_training(*parts(context), "shared", "the button")  # on the same data as the first
        return False

    monkeypatch.setattr(cleanup, "is_training", asked_meanwhile)
    clean_up(*parts(context))
    (job,) = train_queue(context.redis).jobs
    assert job.args[0]["snapshot"] == str(folders[0])
    assert [folder.is_dir() for folder in folders] == [True, False, False, True, True]


def test_an_old_snapshot_goes_though_its_images_are_put_into_the_store_again(context):
    folders = []
    for number in range(1, 6):
        accept(context, number)
        folders.append(take_snapshot(context.settings, context.store, "shared").folder)
        age(folders[-1], 2 * SNAPSHOT_SECONDS)
    for path in (context.store.folder / "images").glob("??/*"):
        context.store.put_image(path.read_bytes())
    clean_up(*parts(context))
    assert [folder.is_dir() for folder in folders] == [False, False, True, True, True]


def test_snapshots_just_taken_stay_however_many_they_are(context):
    for number in range(1, 6):
        accept(context, number)
        take_snapshot(context.settings, context.store, "shared")
    clean_up(*parts(context))
    assert len(list(snapshot_folder(context.settings).iterdir())) == 5


def test_what_was_left_half_written_or_half_removed_goes_after_a_while(context):
    kept = {".new.part"}
    for number in range(1, 4):
        accept(context, number)
        kept.add(take_snapshot(context.settings, context.store, "shared").digest)
    for path in snapshot_folder(context.settings).iterdir():
        age(path, 2 * SNAPSHOT_SECONDS)
    for name, seconds in (("old.gone", 2 * RUN_SECONDS), ("new.part", 0)):
        folder = snapshot_folder(context.settings) / f".{name}"
        folder.mkdir(parents=True)
        age(folder, seconds)
    clean_up(*parts(context))
    assert {path.name for path in snapshot_folder(context.settings).iterdir()} == kept


def test_while_a_training_is_on_its_way_its_snapshot_stays(context):
    for number in range(1, 7):
        accept(context, number)
        take_snapshot(context.settings, context.store, "shared")
        if number == 1:
            request_training(*parts(context), "shared", "the first")
    assert train_queue(context.redis).count == 1
    clean_up(*parts(context))
    assert len(list(snapshot_folder(context.settings).iterdir())) == 6
