import os
import time

from backend.ingest.cleaning import RUN_SECONDS, clean_up
from backend.ingest.deciding import request, take_snapshot
from backend.ingest.events import take
from backend.retraining.places import run_folder, snapshot_folder
from backend.retraining.requests import train_queue
from tests.backend.ingest.conftest import an_annotation, an_event
from training.annotation_store.store import IMAGE_SECONDS


def accept(context, *numbers):
    for number in numbers:
        event = an_event(annotation=an_annotation(number, task=number), image=f"/data/{number}.png")
        take(event, context)


def images(context):
    return {path.name for path in (context.store.folder / "images").glob("??/*")}


def test_images_of_deleted_tasks_old_snapshots_and_runs_go(context):
    accept(context, 1, 2)
    before = images(context)
    for number in range(3, 8):
        accept(context, number)
        take_snapshot(context, "shared")
    newest = take_snapshot(context, "shared")
    os.utime(newest.folder, (time.time() + 9, time.time() + 9))
    for name, age in (("failed", 2 * RUN_SECONDS), ("going", 0)):
        run = run_folder(context.settings) / name
        run.mkdir(parents=True)
        os.utime(run, (time.time() - age, time.time() - age))
    context.store.delete_task(1)
    for path in (context.store.folder / "images").glob("??/*"):
        os.utime(path, (time.time() - 2 * IMAGE_SECONDS,) * 2)
    clean_up(context)
    assert len(before - images(context)) == 1
    kept = {path.name for path in snapshot_folder(context.settings).iterdir()}
    assert len(kept) == 3
    assert newest.digest in kept
    assert [path.name for path in run_folder(context.settings).iterdir()] == ["going"]


def test_while_a_training_is_on_its_way_its_snapshot_stays(context):
    for number in range(1, 7):
        accept(context, number)
        take_snapshot(context, "shared")
        if number == 1:
            request(context, "shared", "the first")
    assert train_queue(context.redis).count == 1
    clean_up(context)
    assert len(list(snapshot_folder(context.settings).iterdir())) == 6
