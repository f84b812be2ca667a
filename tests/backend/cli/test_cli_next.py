import pytest

from backend.cli import main
from tests.backend.label_studio.ingest.conftest import Site


@pytest.fixture
def site():
    found = Site()
    yield found
    found.close()


@pytest.fixture
def say(site, tmp_path, monkeypatch, capsys):
    """Call ``dynamite next`` for project 3; its status and what it printed."""
    monkeypatch.chdir(tmp_path)

    def call(*more):
        where = ["--label-studio", site.url, "--token", "a-legacy-token"]
        try:
            main(["next", "--project", "3", *where, *more])
            status = 0
        except SystemExit as ended:
            status = ended.code
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return call


def tasks(*numbers, labelled=()):
    found = [{"id": number, "is_labeled": number in labelled} for number in numbers]
    return {"total": len(found), "tasks": found}


def prediction(number, task, score):
    return {"id": number, "task": task, "score": score}


def test_the_least_sure_unlabelled_task_comes_first(site, say):
    site.answers["/api/tasks"] = tasks(1, 2, 3, 4, 5, labelled=(4,))
    site.answers["/api/predictions"] = [
        prediction(9, 1, 0.7),
        prediction(8, 1, 0.1),  # an older one
        prediction(7, 2, 0.4),
        prediction(6, 4, 0.05),
        prediction(5, 5, 0),
    ]
    status, said = say()
    assert status == 0
    assert [line.split() for line in said.splitlines()[:-1]] == [
        ["task", "5", "0.00"],
        ["task", "2", "0.40"],
        ["task", "1", "0.70"],
        ["task", "3", "-"],
    ]
    assert said.splitlines()[-1] == "4 unlabelled tasks, 1 without a prediction"
    assert len(say("--most", "1")[1].splitlines()) == 2


@pytest.mark.parametrize("absurd", [{}, [3, None, {"id": 1}, prediction("x", 1, 0.5)]])
def test_absurd_predictions_count_as_none(site, say, absurd):
    site.answers["/api/tasks"] = tasks(1)
    site.answers["/api/predictions"] = absurd
    status, said = say()
    assert (status, said.split()[:3]) == (0, ["task", "1", "-"])


def test_where_all_is_labelled_it_says_so(site, say):
    site.answers["/api/tasks"] = tasks(1, labelled=(1,))
    site.answers["/api/predictions"] = []
    assert say() == (0, "every task is labelled\n")


def test_an_unknown_project_is_a_failure(say):
    status, said = say()
    assert status == 1
    assert "404" in said
