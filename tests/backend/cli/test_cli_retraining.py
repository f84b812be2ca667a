import pytest
import torch

import dynamite
from backend.cli import main
from backend.cli.jobs import table
from backend.cli.printing import print_table
from backend.retraining.status import TrainingState
from backend.settings import load
from backend.settings.folders import store_folder
from dynamite.checkpoints import checkpoint
from dynamite.network.config import Resize
from dynamite.registry import Description, Registry
from tests.training.tiny_run import TINY_MODEL
from training.annotation_store import AcceptedAnnotation, AnnotationStore, Rejection


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Call ``dynamite`` in an empty folder; its status and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        printed = capsys.readouterr()
        return ended.value.code, printed.out + printed.err

    return call


@pytest.fixture
def versions(tmp_path):
    """Two versions in the registry where the settings look for it."""
    (tmp_path / ".state" / "models").mkdir(parents=True)
    registry = Registry(tmp_path / ".state" / "models" / "shared")
    model = dynamite.load("lite", random_weights=True, resize=Resize(64, 64), **TINY_MODEL)
    names = []
    for verdict in ("passed: −20 %", "not passed: +1 %"):
        with torch.no_grad():
            next(model.parameters()).add_(1)
        checkpoint.save(model, tmp_path / "w.safetensors", {})
        known = Description(data="0123456789", verdict=verdict)
        names.append(registry.add(tmp_path / "w.safetensors", known).name)
    return names


def test_a_version_that_was_never_published_is_not_a_share_that_is_away(run):
    status, out = run("models", "show", "lite-c6453750")
    assert status == 1
    assert "there is no version lite-c6453750: `" in out
    assert "dynamite models list` shows all versions" in out


def test_models_are_listed_promoted_and_rolled_back(run, versions):
    first, second = versions
    status, out = run("models", "list")
    assert status == 0
    assert "→ (shipped)" in " ".join(out.split())
    assert out.index(first) < out.index(second)
    assert "not passed: +1 %" in out
    assert run("models", "promote", first)[0] == 0
    status, out = run("models", "list")
    assert f"→ {first}" in " ".join(out.split())
    assert "shipped weights" in run("models", "rollback")[1]
    status, out = run("models", "rollback")
    assert status == 1
    assert "nothing to roll back to" in out
    assert '"data": "0123456789"' in run("models", "show", second)[1]


def test_a_damaged_version_is_not_promoted(run, versions, tmp_path):
    path = tmp_path / ".state" / "models" / "shared" / "versions" / versions[0]
    (path / "model.safetensors").write_bytes(b"damaged")
    status, out = run("models", "promote", versions[0])
    assert status == 1
    assert "is damaged" in out
    status, out = run("models", "promote", "lite-00000000")
    assert status == 1
    assert "no version lite-00000000" in out


def test_what_was_set_aside_is_listed_with_its_reason(run, tmp_path):
    assert "nothing has been accepted yet" in run("annotations", "rejected")[1]
    assert "Usage:" in run("annotations", "rejected", "--help")[1]
    assert not (
        tmp_path / ".state" / "retraining" / "annotations"
    ).exists()  # it may be a share that is away
    with AnnotationStore(tmp_path / ".state" / "retraining" / "annotations") as store:
        entry = AcceptedAnnotation("label_studio", 7, 5, 3, "2026-01-01T00:00:00.000000+00:00")
        store.apply(entry, [Rejection("empty_mask", "the mask has no pixel", "r1")])
    status, out = run("annotations", "rejected")
    assert status == 0
    assert all(word in out for word in ("3", "5", "7", "r1", "empty_mask", "no pixel"))
    assert "1 set aside" in run("annotations")[1]
    assert "1 annotation of 1 project\n" in run("annotations")[1]


@pytest.mark.parametrize("label", ["[/cell]", "[red]", ":car:"])
def test_a_label_is_shown_as_it_is(run, label):
    with AnnotationStore(store_folder(load())) as store:
        entry = AcceptedAnnotation("label_studio", 7, 5, 3, "2026-01-01T00:00:00.000000+00:00")
        store.apply(entry, [Rejection("unknown_label", f"{label} is not in the config", "r1")])
    status, out = run("annotations", "rejected")
    assert (status, label in out) == (0, True)


def test_an_error_of_a_training_is_shown_as_it_is(capsys):
    state = TrainingState("j", "failed", "test", "now", error="no data in [/mnt/share] [rank0]")
    print_table(table([state]))
    assert "[/mnt/share] [rank0]" in capsys.readouterr().out


def test_a_user_without_a_name_promotes_and_rolls_back(run, versions, monkeypatch):
    def nobody():
        raise KeyError("getpwuid(): uid not found: 54321")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert run("models", "promote", versions[0])[0] == 0
    assert run("models", "rollback")[0] == 0
    assert "user " in run("models", "log")[1]


def test_the_log_of_models_is_a_table_whose_last_line_is_what_answers(run, versions):
    first, second = versions
    assert "nothing was promoted yet" in run("models", "log")[1]
    run("models", "promote", first)
    run("models", "promote", second)
    run("models", "rollback")
    status, out = run("models", "log")
    assert status == 0
    lines = [line.split() for line in out.splitlines()[1:]]
    numbers = [int(words[0]) for words in lines]
    assert numbers == sorted(numbers)
    made = [words for words in lines if words[3] != "(shipped)"]
    assert [words[3] for words in made] == [first, second, first]
    assert " ".join(made[0][5:]) == "promoted by hand"
    assert made[-1] == lines[-1]


def test_a_line_that_is_not_there_is_named_with_those_that_are(run, versions):
    for command in (("models", "--line", "nosuch", "list"), ("retrain", "--line", "nosuch")):
        status, out = run(*command)
        assert status == 2
        assert "'nosuch'" in out and "shared" in out
    assert run("models", "--line", "shared", "list")[0] == 0


@pytest.mark.parametrize(
    "command",
    [
        ["annotations"],
        ["annotations", "rejected"],
        ["retrain"],
        ["sync", "--project", "3", "--label-studio", "http://127.0.0.1:9", "--token", "a-token"],
    ],
)
def test_a_damaged_store_is_named(run, monkeypatch, queue_server, command):
    monkeypatch.setenv("REDIS_URL", queue_server)
    folder = store_folder(load())
    AnnotationStore(folder).close()
    path = folder / "annotations.sqlite"
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    status, out = run(*command)
    assert status == 1
    assert str(folder) in out and "Traceback" not in out
    assert "move it away" in out


@pytest.mark.parametrize("command", [["retrain"], ["jobs"]])
def test_without_a_queue_server_it_says_so(run, command):
    status, out = run(*command)
    assert status == 1
    assert "the queue server does not answer" in out


def test_sync_needs_label_studio(run):
    status, out = run("sync")
    assert status == 2
    assert "--project" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--queues", "other"], "no such queue"), (["--gpus", "all"], "not like 0,1")],
)
def test_a_worker_says_what_it_cannot_do(run, arguments, words):
    status, out = run("worker", *arguments)
    assert status == 2
    assert words in out


def test_a_backup_is_made_and_put_back(run, versions, tmp_path):
    run("models", "promote", versions[0])
    assert run("backup", "monday") == (0, "monday: the backup is whole\n")
    assert (tmp_path / "monday").stat().st_mode & 0o077 == 0
    status, out = run("backup", "monday")
    assert status == 1
    assert "nothing is overwritten" in out
    status, out = run("restore", "monday")
    assert status == 1
    assert "move it away first" in out
    (tmp_path / ".state" / "models" / "shared").rename(tmp_path / "old")
    status, out = run("restore", "monday")
    assert status == 0
    assert "models list` show it" in out
    assert f"→ {versions[0]}" in " ".join(run("models", "list")[1].split())
