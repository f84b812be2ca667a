import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import dynamite
from dynamite.errors import CheckpointError
from dynamite.registry import Description, MissingError, Registry, RegistryError, StaleError
from tests.dynamite.registry.publishing import add, promote


def test_before_anything_is_published_the_shipped_weights_are_current(registry):
    assert registry.current().version is None
    assert registry.versions() == []
    with pytest.raises(RegistryError, match="nothing to roll back"):
        registry.rollback(holder="test")


def test_a_version_keeps_what_is_known_of_it(registry, files, tmp_path):
    report = tmp_path / "report"
    report.mkdir()
    (report / "table.txt").write_text("good")
    known = Description("lite-0", "d1", {"nci": 2.5}, "published", {"steps": 4})
    version = registry.add(files["a"][0], known, report)
    again = Registry(registry.folder).get(files["a"][1])
    assert again == version
    assert again.description == known
    assert (again.report / "table.txt").read_text() == "good"
    assert dynamite.load("lite", again.weights).version == version.name
    assert registry.current().version is None  # adding promotes nothing
    assert registry.add(files["a"][0], Description()) == version


def test_promoting_and_rolling_back(registry, files):
    a, b = add(registry, files, "a", "b")
    promote(registry, a)
    promote(registry, b)
    assert registry.current().version == b
    assert registry.rollback(holder="test").version == a
    assert registry.rollback(holder="test").version is None
    with pytest.raises(RegistryError, match="nothing to roll back"):
        registry.rollback(holder="test")


def test_a_revived_job_cannot_publish_after_another_has_begun(registry, files):
    a, b = add(registry, files, "a", "b")
    zombie = registry.begin("first attempt")
    second = registry.begin("second attempt")
    with pytest.raises(StaleError, match="too late"):
        promote(registry, a, token=zombie)
    promote(registry, b, token=second)
    with pytest.raises(StaleError):
        promote(registry, a, token=zombie)
    with pytest.raises(StaleError):
        promote(registry, a, token=second)  # a token allows one change
    assert registry.current().version == b


def test_a_rollback_by_a_person_during_a_training_stops_its_publication(registry, files):
    a, b = add(registry, files, "a", "b")
    promote(registry, a)
    token = registry.begin("training")
    registry.rollback(holder="person")
    with pytest.raises(StaleError):
        promote(registry, b, token=token)
    assert registry.current().version is None


def test_of_many_at_once_exactly_one_promotes(registry, files):
    a, b = add(registry, files, "a", "b")
    token = registry.begin("all of them")
    outcomes = []

    def try_it(name):
        try:
            outcomes.append(promote(registry, name, token=token).version)
        except StaleError:
            outcomes.append(None)

    threads = [threading.Thread(target=try_it, args=(name,)) for name in [a, b] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [outcome for outcome in outcomes if outcome]
    assert registry.current().version == winner


@pytest.mark.parametrize("damage", ["cut", "flip", "missing", "other"])
def test_a_damaged_file_is_not_promoted(registry, files, damage):
    a, b = add(registry, files, "a", "b")
    promote(registry, a)
    path = registry.get(b).weights
    data = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "flip":
        data[-5] ^= 1
        path.write_bytes(data)
    elif damage == "missing":
        path.unlink()
    else:
        path.write_bytes(files["c"][0].read_bytes())
    with pytest.raises(CheckpointError, match=b):
        promote(registry, b)
    assert registry.current().version == a


def test_a_damaged_checkpoint_does_not_become_a_version(registry, files, tmp_path):
    path = tmp_path / "cut.safetensors"
    path.write_bytes(files["a"][0].read_bytes()[:-100])
    with pytest.raises(CheckpointError):
        registry.add(path, Description())
    assert registry.versions() == []


def test_a_half_written_version_is_invisible(registry, files):
    (name,) = add(registry, files, "a")
    half = registry.folder / "versions" / files["b"][1]
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    assert [version.name for version in registry.versions()] == [name]
    with pytest.raises(RegistryError, match="no version"):
        promote(registry, files["b"][1])


PUBLISHER = """
import sys
from pathlib import Path
from dynamite.registry import Description, Registry
registry = Registry(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    for path in sys.argv[2:]:
        version = registry.add(Path(path), Description())
        registry.promote(version.name, holder="job", reason="test")
        print(version.name, flush=True)
        import shutil; shutil.rmtree(registry.folder / "versions" / version.name)
"""


@pytest.mark.slow
def test_a_publisher_killed_at_any_moment_leaves_a_readable_registry(registry, files):
    command = [sys.executable, "-c", PUBLISHER, str(registry.folder)]
    command += [str(path) for path, _ in files.values()]
    for delay in (0.0, 0.03):
        environment = dict(os.environ, OMP_NUM_THREADS="1")
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as publisher:
            publisher.stdout.readline()
            time.sleep(delay)
            publisher.send_signal(signal.SIGKILL)
        registry.current()
        for version in registry.versions():
            version.verify()
        promote(registry, registry.add(files["a"][0], Description()).name)


def test_old_versions_go_but_never_the_current_its_parent_or_the_way_back(registry, files):
    a, b, c, d = (files[x][1] for x in "abcd")
    add(registry, files, "a", "b")
    registry.add(files["c"][0], Description(parent=a))
    add(registry, files, "d")
    promote(registry, b)
    promote(registry, c)
    assert registry.prune(keep=1) == []  # b: the rollback target, a: the parent, d: the newest
    promote(registry, d)
    assert registry.prune(keep=1) == [a, b]
    assert registry.rollback(holder="test").version == c


def test_what_a_killed_process_left_goes_after_a_day_but_not_what_is_being_written(registry, files):
    (a,) = add(registry, files, "a")
    promote(registry, a)
    left = [
        registry.folder / "versions" / f".{a}.0123.part" / "report" / "report.txt",
        registry.folder / "versions" / f".{a}.0123.gone" / "model.safetensors",
        registry.folder / "current" / ".4567.part",
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half")
    assert registry.prune(keep=1) == []
    assert all(path.exists() for path in left)
    yesterday = time.time() - 25 * 3600
    found = [*registry.folder.glob("*/.*")]
    for path in found:
        if path.is_dir():
            os.utime(path, (yesterday, yesterday))
    registry.prune(keep=1)
    assert all(path.exists() for path in left)  # their contents were just written
    for path in (inner for one in found for inner in [one, *one.rglob("*")]):
        os.utime(path, (yesterday, yesterday))
    registry.prune(keep=1)
    assert not [*registry.folder.glob("*/.*")]
    assert registry.current().version == a
    registry.get(a).verify()


def test_a_line_without_versions_has_none_of_any_name(registry):
    registry.begin("training")
    with pytest.raises(MissingError, match="there is no version lite-00000000"):
        registry.get("lite-00000000")


def test_beginning_at_the_moment_somebody_promotes_begins_on_top_of_that(
    registry, files, monkeypatch
):
    (a,) = add(registry, files, "a")
    current = registry.current

    def seen_too_early():
        entry = current()
        if entry.number == 0:
            promote(Registry(registry.folder), a)
        return entry

    monkeypatch.setattr(registry, "current", seen_too_early)
    token = registry.begin("training")
    assert (token.number, token.version) == (2, a)


def test_the_same_weights_added_at_the_same_time_are_one_version(registry, files):
    path, name = files["a"]
    found, wrong = [], []

    def add_it():
        try:
            found.append(registry.add(path, Description()).name)
        except RegistryError as error:
            wrong.append(error)

    threads = [threading.Thread(target=add_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, wrong) == ([name] * 6, [])
    assert [version.name for version in registry.versions()] == [name]


def test_a_damaged_version_is_replaced_by_the_same_weights_once_more(registry, files):
    (a,) = add(registry, files, "a")
    weights = registry.get(a).weights
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    with pytest.raises(CheckpointError, match="damaged"):
        registry.promote(a, holder="somebody", reason="by hand")
    registry.add(files["a"][0], Description())
    registry.promote(a, holder="somebody", reason="by hand")


def test_a_copy_of_a_version_is_whole(registry, files, tmp_path):
    (a,) = add(registry, files, "a")
    registry.get(a).copy_weights(tmp_path / "copy.safetensors")
    assert (tmp_path / "copy.safetensors").read_bytes() == files["a"][0].read_bytes()
    registry.get(a).weights.write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="damaged"):
        registry.get(a).copy_weights(tmp_path / "other.safetensors")
    assert not (tmp_path / "other.safetensors").exists()


def test_a_damaged_log_entry_says_so(registry, files):
    (a,) = add(registry, files, "a")
    promote(registry, a)
    (registry.folder / "current" / "000000002.json").write_text("{")
    with pytest.raises(RegistryError, match="damaged"):
        registry.current()


@pytest.mark.security
@pytest.mark.parametrize(
    "name", ["../../etc", "..", ".", "", "a\n", "a\nb", ".a", "-rf", "é", "\0"]
)
def test_names_do_not_leave_the_folder(registry, name):
    with pytest.raises(RegistryError, match="not the name") as caught:
        registry.get(name)
    assert "\n" not in str(caught.value)


def test_a_version_that_calls_itself_otherwise_is_damaged(registry, files):
    (name,) = add(registry, files, "a")
    path = registry.get(name).folder / "version.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": "x\nCRITICAL"}))
    with pytest.raises(RegistryError, match="cannot be read") as caught:
        registry.get(name)
    assert "\n" not in str(caught.value)
    assert registry.versions() == []


def test_the_log_does_not_grow_for_ever(registry):
    for _ in range(120):
        registry.begin("test")
    entries = list(Path(registry.folder / "current").iterdir())
    assert len(entries) <= 101
    assert json.loads(max(entries).read_text())["number"] == 120
