"""Comparisons bring in what no webhook brought, and delete what is gone."""

import pytest

from backend.cli import main
from backend.cvat import rle
from backend.cvat.collect.hints import look_into
from backend.cvat.collect.jobs import collect_event, reconcile_cvat
from backend.cvat.collect.sync import reconcile, reconcile_all
from backend.cvat.collect.waiting import last_waiting
from tests.backend.cvat.collect.test_collecting import block
from tests.backend.cvat.fake_cvat import TOKEN

RUNS = rle.encode(block())


@pytest.fixture
def project(fake):
    """A project with two tasks of completed jobs, and one that is not complete."""
    for task in (1, 2, 3):
        fake.add_task(task, project=4)
        fake.draw(task, 0, RUNS)
        fake.complete(task)
    fake.touch(3, state="in progress")
    return fake


def numbers(collector):
    return [one.annotation_id // 1_000_000 for one in collector.store.annotations()]


def test_a_project_is_compared_and_compared_again_only_where_it_changed(project, collector):
    assert reconcile(collector, ("project", 4)) == "project 4: 3 jobs looked into"
    assert numbers(collector) == [1, 2]
    assert reconcile(collector, ("project", 4)) == "project 4: 1 jobs looked into"
    project.complete(3)
    reconcile(collector, ("project", 4))
    assert numbers(collector) == [1, 2, 3]


def test_more_jobs_than_fit_on_a_page(fake, collector, monkeypatch):
    monkeypatch.setattr("backend.cvat.api.PAGE", 2)
    for task in range(1, 6):
        fake.add_task(task, project=4)
        fake.draw(task, 0, RUNS)
        fake.complete(task)
    reconcile(collector, ("project", 4))
    assert numbers(collector) == [1, 2, 3, 4, 5]


def test_jobs_and_projects_that_are_gone_are_deleted(project, collector):
    reconcile(collector, ("project", 4))
    del project.jobs[1]
    reconcile(collector, ("project", 4))
    assert numbers(collector) == [2]
    del project.projects[4]
    assert "gone; 1 frames deleted" in reconcile(collector, ("project", 4))
    assert numbers(collector) == []


def test_a_task_without_project_is_followed_once_known(fake, collector):
    fake.add_task(1)
    fake.draw(1, 0, RUNS)
    fake.complete(1)
    reconcile(collector, ("task", 1))
    fake.draw(1, 1, RUNS)
    reconcile_all(collector)
    assert [one.annotation_id for one in collector.store.annotations()] == [1000000, 1000001]
    assert {one.project for one in collector.store.annotations()} == {0}
    del fake.tasks[1], fake.jobs[1]
    reconcile_all(collector)
    assert collector.store.annotations() == []


def test_what_waits_is_tried_again_and_told(project, collector, collecting, redis, monkeypatch):
    for name, value in {
        "REDIS_URL": collecting().queue_url,
        "DYNAMITE_STATE_DIR": str(collecting().state_dir),
        "DYNAMITE_CVAT": "true",
        "DYNAMITE_CVAT_URL": project.url,
        "DYNAMITE_CVAT_TOKEN": TOKEN,
    }.items():
        monkeypatch.setenv(name, value)
    event = {"kind": "job", "number": 1, "source": "cvat", "received_at": ""}
    project.is_away = True
    assert "waits: CVAT answers 502" in collect_event(event)
    assert last_waiting(redis, "cvat") == (1, last_waiting(redis, "cvat")[1])
    project.is_away = False
    reconcile_cvat()
    assert numbers(collector) == [1, 2]  # with it its project became known
    assert last_waiting(redis, "cvat") == (0, "")
    assert "refused" in collect_event(event | {"source": "cvat2"})
    assert collect_event({"kind": "x"}) == "refused"


def test_a_store_restored_from_a_backup_is_filled_again(project, collector):
    look_into(collector, ("job", 1))
    collector.bookkeeping.note_job(1, project.jobs[1]["updated_date"], 10**6)
    collector.bookkeeping.forget_after(collector.store.change())
    assert collector.bookkeeping.job_state(1) is None


def test_the_command_compares_and_needs_one_target(
    project, collecting, queue_server, monkeypatch, capsys
):
    monkeypatch.setenv("REDIS_URL", queue_server)
    monkeypatch.setenv("DYNAMITE_STATE_DIR", str(collecting().state_dir))

    def sync(*options):
        with pytest.raises(SystemExit) as ended:
            main(["sync", *options])
        printed = capsys.readouterr()
        return ended.value.code, printed.out + printed.err

    where = ("--cvat", f"{project.url}/projects/4", "--token", TOKEN)
    status, said = sync("--cvat-project", "4", *where)
    assert (status, "project 4: 3 jobs looked into" in said) == (0, True), said
    assert sync("--cvat-project", "4", "--cvat-task", "1")[0] == 2
    assert sync()[0] == 2
    status, said = sync("--cvat-project", "4")
    assert status == 2 and "DYNAMITE_CVAT_TOKEN" in said
    status, said = sync("--cvat-project", "4", "--cvat", project.url, "--token", "wrong")
    assert status == 1 and "401" in said
