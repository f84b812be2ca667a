"""Deletions that write into two files, killed between the writes."""

from contextlib import contextmanager, suppress

import pytest

from backend.label_studio.config_writer import write
from backend.label_studio.ingest.deletion import (
    delete_annotations,
    delete_project,
    delete_tasks,
    replace_project,
)
from backend.label_studio.ingest.events import process_event
from backend.label_studio.ingest.ingest import TryLaterError
from backend.label_studio.ingest.known_tasks import known_tasks
from backend.label_studio.ingest.server_identity import check_project
from backend.label_studio.ingest.sync import reconcile_projects
from tests.backend.label_studio.ingest.conftest import an_annotation
from training.annotation_store import Database

TIME = "2026-11-22T07:10:40Z"
SKIPPED = {"action": "ANNOTATION_CREATED", "annotation": {"id": 4, "task": 1}, "project": 3}


class KilledError(BaseException):
    """The process ends here; nothing of it runs any more."""


@pytest.fixture
def ingest(make_ingest, api):
    return make_ingest(api, train_after=0)


@pytest.fixture
def task(site):
    """Task 1 of project 3 in Label Studio, with annotation 1 and a skipped one, 4."""
    project = {"id": 3, "created_at": TIME, "label_config": write(["A"])}
    task = {"id": 1, "project": 3, "data": {"image": "/1.png"}, "updated_at": TIME}
    task |= {"total_annotations": 1, "cancelled_annotations": 1}
    accepted, skipped = an_annotation(1), an_annotation(4, was_cancelled=True)
    site.answers |= {
        "/api/projects/3": project,
        "/api/tasks": {"tasks": [task], "total": 1},
        "/api/tasks/1": task,
        "/api/tasks/1/annotations": [accepted],  # the list leaves out skipped ones
        "/api/annotations/1": accepted,
        "/api/annotations/4": skipped,
    }
    return task


@pytest.fixture
def killed_after(monkeypatch):
    """Run a call in a process that is killed after so many transactions; whether it was."""
    transaction = Database.transaction

    def run(count, call):
        left = [count]

        @contextmanager
        def counted(database):
            if not left[0]:
                raise KilledError
            left[0] -= 1
            with transaction(database) as connection:
                yield connection

        with monkeypatch.context() as patched:
            patched.setattr(Database, "transaction", counted)
            with suppress(KilledError):
                call()
                return False
        return True

    return run


def kept(ingest):
    return [one.annotation_id for one in ingest.store.annotations()]


DELETIONS = {
    "annotation": lambda ingest: delete_annotations([1], ingest.store, ingest.bookkeeping),
    "task": lambda ingest: delete_tasks([1], ingest.store, ingest.bookkeeping),
    "project": lambda ingest: delete_project(3, ingest.store, ingest.bookkeeping),
    "replaced project": lambda ingest: replace_project(3, ingest.store, ingest.bookkeeping),
}


@pytest.fixture
def compared(ingest, task):
    """What Label Studio has is stored, and compared with the store."""
    process_event({"body": SKIPPED, "verified": False}, ingest)
    reconcile_projects(ingest, [3])
    assert kept(ingest) == [1, 4]
    assert not known_tasks(3, ingest.store, ingest.bookkeeping).has_news(task)


@pytest.mark.parametrize("what", DELETIONS)
@pytest.mark.parametrize("writes", [0, 1, 2, 3])
def test_a_deletion_killed_at_any_moment_loses_nothing_that_label_studio_still_has(
    ingest, compared, killed_after, what, writes
):
    killed = killed_after(writes, lambda: DELETIONS[what](ingest))
    assert killed or writes > 1
    reconcile_projects(ingest, [3])
    assert 1 in kept(ingest)


@pytest.mark.parametrize("what", DELETIONS)
def test_a_deletion_killed_between_both_files_costs_one_more_comparison_only(
    ingest, compared, killed_after, task, what
):
    before = ingest.store.annotations()
    assert killed_after(1, lambda: DELETIONS[what](ingest))
    assert ingest.store.annotations() == before
    assert known_tasks(3, ingest.store, ingest.bookkeeping).has_news(task)
    reconcile_projects(ingest, [3])
    assert ingest.store.annotations() == before
    assert not known_tasks(3, ingest.store, ingest.bookkeeping).has_news(task)


@pytest.mark.parametrize("what", DELETIONS)
def test_a_deletion_killed_between_both_files_is_completed_by_the_next_attempt(
    ingest, compared, killed_after, what
):
    assert killed_after(1, lambda: DELETIONS[what](ingest))
    DELETIONS[what](ingest)
    assert 1 not in kept(ingest)


def test_a_replacement_killed_in_between_lets_the_other_project_wait(
    ingest, compared, killed_after
):
    other = {"id": 3, "created_at": "2026-12-01T00:00:00Z"}
    assert killed_after(2, lambda: DELETIONS["replaced project"](ingest))
    with pytest.raises(TryLaterError, match="--replace"):
        check_project(other, ingest.bookkeeping)
    DELETIONS["replaced project"](ingest)
    check_project(other, ingest.bookkeeping)


@pytest.mark.parametrize(
    "body",
    [
        {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": n} for n in range(5000)]},
        {"action": "TASKS_DELETED", "tasks": [{"id": n} for n in range(5000)]},
        {
            "action": "ANNOTATIONS_CREATED",
            "annotation": [an_annotation(n, task=n) for n in range(50)],
            "task": [{"id": n, "data": {"image": "/1.png"}} for n in range(50)],
            "project": {"id": 3, "label_config": write(["A"])},
        },
    ],
    ids=lambda body: body["action"],
)
def test_an_event_with_thousands_of_ids_is_one_transaction_of_each_file(
    ingest, compared, monkeypatch, body
):
    written = []
    transaction = Database.transaction

    def counted(database):
        written.append(database.path)
        return transaction(database)

    monkeypatch.setattr(Database, "transaction", counted)
    ingest.images.is_away = True  # so the annotations that are new must wait
    process_event({"body": body, "verified": True}, ingest)
    assert len(written) == len(set(written)) > 0
    left = [] if "DELETED" in body["action"] else [1, 4]
    assert [number for number in kept(ingest) if number in (1, 4)] == left
