import pytest
from redis import Redis

from backend.cli import main
from backend.label_studio import known_projects
from backend.label_studio.ingest.bookkeeping import Bookkeeping
from backend.retraining.status import Backlog, last_backlog
from tests.backend.label_studio.ingest.conftest import Site


@pytest.fixture
def sync(tmp_path, monkeypatch, queue_server, capsys):
    """Call ``dynamite sync`` for project 3; its status and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", queue_server)

    def call(url, *more):
        where = ["--label-studio", url, "--token", "a-legacy-token"]
        with pytest.raises(SystemExit) as ended:
            main(["sync", "--project", "3", *where, *more])
        printed = capsys.readouterr()
        return ended.value.code, printed.out + printed.err

    return call


def test_a_label_studio_that_cannot_be_reached_is_a_failure(sync):
    status, said = sync("http://127.0.0.1:9")
    assert status == 1
    assert "http://127.0.0.1:9 cannot be reached" in said


@pytest.fixture
def site():
    found = Site()
    yield found
    found.close()


def test_what_was_compared_is_told(sync, site, queue_server):
    with Redis.from_url(queue_server) as redis:
        redis.flushall()
        known_projects.note(redis, "label_studio", 3)
    status, said = sync(site.url)
    assert status == 0
    assert "project 3: deleted in Label Studio; 0 annotations deleted here" in said
    with Redis.from_url(queue_server) as redis:
        assert last_backlog(redis) == Backlog(0, "", 0, "")


def test_a_number_that_never_was_a_project_is_a_failure(sync, site, queue_server):
    with Redis.from_url(queue_server) as redis:
        redis.flushall()
    status, said = sync(site.url)
    assert status == 1
    assert "Label Studio has no project 3" in said
    assert "deleted" not in said


def test_another_project_of_that_number_takes_its_place_only_if_told_to(sync, site, tmp_path):
    folder = tmp_path / ".state" / "retraining"
    folder.mkdir(parents=True)
    with Bookkeeping(folder / "label_studio.sqlite") as bookkeeping:
        bookkeeping.note_created_at(3, "2026-11-20T07:10:40.000001+00:00")
    site.answers["/api/projects/3"] = {"id": 3, "created_at": "2026-11-25T09:00:00.000002Z"}
    site.answers["/api/tasks"] = {"tasks": [], "total": 0}
    status, said = sync(site.url)
    assert status == 1
    assert "--replace" in said
    assert sync(site.url, "--replace")[0] == 0
    assert sync(site.url)[0] == 0
