"""What was accepted and published survives the loss of its folders; backups harm nobody's work."""

import shutil
import threading
from pathlib import Path

import pytest
import torch

import dynamite
from backend.label_studio.ingest.bookkeeping import Bookkeeping, bookkeeping_path
from backend.retraining.backup import BackupError, back_up, restore
from backend.settings import load
from backend.settings.folders import (
    descriptions_folder,
    memory_folder,
    models_folder,
    open_registry,
    store_folder,
)
from dynamite.checkpoints import checkpoint
from dynamite.manifest import ManifestError
from dynamite.network.config import Resize
from dynamite.registry import Description
from tests.training.annotation_store.builders import annotation, photo
from tests.training.tiny_run import TINY_MODEL
from training.annotation_store import AnnotationKey, AnnotationStore, StoreError
from training.memory.kept import KeptMemories
from training.proposing.kept import KeptDescriptions


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return load(state_dir=tmp_path / "state")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Two checkpoints of a tiny network."""
    folder = tmp_path_factory.mktemp("weights")
    model = dynamite.load("lite", random_weights=True, resize=Resize(64, 64), **TINY_MODEL)
    for name in "ab":
        with torch.no_grad():
            next(model.parameters()).add_(1)
        checkpoint.save(model, folder / f"{name}.safetensors", {})
    return [folder / f"{name}.safetensors" for name in "ab"]


def accept(settings, number):
    with AnnotationStore(store_folder(settings)) as store:
        store.apply(annotation(number, store.put_image(photo(number))))


def publish(settings, weights, *, keep=9):
    registry = open_registry(settings)
    name = registry.add(weights, Description(verdict="passed")).name
    registry.promote(name, holder="test", reason="passed")
    registry.prune(keep)
    return name


def state(settings):
    """Everything a backup must bring back."""
    with AnnotationStore(store_folder(settings)) as store:
        kept = store.annotations()
        images = {i.digest: store.image_path(i.digest).read_bytes() for a in kept for i in a.images}
        change = store.change()
    with Bookkeeping(bookkeeping_path(settings)) as bookkeeping:
        compared = bookkeeping.compared(1)
    registry = open_registry(settings)
    versions = [(v.name, v.description, v.weights.read_bytes()) for v in registry.versions()]
    return kept, images, change, compared, registry.entries(), versions


def destroy(settings):
    shutil.rmtree(settings.state_dir)


@pytest.fixture
def filled(settings, weights):
    for number in 1, 2, 3:
        accept(settings, number)
    with AnnotationStore(store_folder(settings)) as store:
        store.delete(AnnotationKey("label_studio", 2))
    with Bookkeeping(bookkeeping_path(settings)) as bookkeeping:
        bookkeeping.note_compared(1, 1, "as it was", 1)
    for file in weights:
        publish(settings, file)
    return settings


def test_after_the_original_is_destroyed_all_is_as_it_was(filled, tmp_path):
    before = state(filled)
    assert back_up(filled, tmp_path / "backup") == []
    destroy(filled)
    restore(filled, tmp_path / "backup")
    assert state(filled) == before
    open_registry(filled).get(open_registry(filled).current().version).verify()
    with AnnotationStore(store_folder(filled)) as store:  # what was deleted stays deleted
        assert store.apply(annotation(2, "ab" * 32)) == "it has been deleted"
    leftovers = [p.name for p in filled.state_dir.rglob(".*")]
    assert leftovers == []


@pytest.mark.parametrize("present", [store_folder, models_folder, bookkeeping_path])
def test_nothing_that_is_there_is_overwritten(filled, tmp_path, present):
    back_up(filled, tmp_path / "backup")
    there = present(filled)
    shutil.move(there, tmp_path / "kept")
    destroy(filled)
    there.parent.mkdir(parents=True)
    shutil.move(tmp_path / "kept", there)
    before = sorted(filled.state_dir.rglob("*"))
    with pytest.raises(BackupError, match="nothing is overwritten: move it away"):
        restore(filled, tmp_path / "backup")
    assert [path for path in sorted(filled.state_dir.rglob("*")) if path.is_file()] == [
        path for path in before if path.is_file()
    ]


def test_memories_of_other_annotations_do_not_outlive_them(filled, tmp_path):
    back_up(filled, tmp_path / "backup")
    assert not list((tmp_path / "backup").rglob("*memory*"))
    destroy(filled)
    memories = KeptMemories(memory_folder(filled))
    memories.folder.mkdir(parents=True)
    for name in ("label_studio-3.json", "label_studio-3-0000000a.safetensors"):
        (memories.folder / name).write_text("{}")
    restore(filled, tmp_path / "backup")
    assert list(memories.folder.iterdir()) == []


def test_descriptions_of_other_annotations_do_not_outlive_them(filled, tmp_path):
    back_up(filled, tmp_path / "backup")
    destroy(filled)
    kept = KeptDescriptions(descriptions_folder(filled))
    kept.folder.mkdir(parents=True)
    kept.path(("label_studio", 1)).write_bytes(b"of other annotations")
    restore(filled, tmp_path / "backup")
    assert list(kept.projects()) == []


def test_backups_amid_writing_are_each_of_one_moment(filled, weights, tmp_path):
    is_over = threading.Event()
    failures = []

    def write():
        try:
            number = 10
            while not is_over.is_set():
                accept(filled, number)
                publish(filled, weights[number % 2], keep=1)
                number += 1
        except Exception as error:
            failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(4):
            assert back_up(filled, tmp_path / f"backup-{number}") == []
    finally:
        is_over.set()
        writer.join()
    assert failures == []
    sizes = []
    for number in range(4):
        destroy(filled)
        restore(filled, tmp_path / f"backup-{number}")
        kept, images, *_ = state(filled)
        numbers = [one.annotation_id for one in kept]
        assert numbers == [1, 3, *range(10, 10 + len(numbers) - 2)]  # none between is missing
        assert len(images) == len(numbers)
        open_registry(filled).get(open_registry(filled).current().version).verify()
        sizes.append(len(numbers))
    assert sizes == sorted(sizes)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES = {
    "is not the file": flip,
    "is missing": Path.unlink,
    "does not belong": lambda path: path.with_name("more").touch(),
}


@pytest.mark.parametrize("part", ["annotations", "bookkeeping", "models"])
@pytest.mark.parametrize("words", DAMAGES)
def test_a_damaged_backup_is_refused_before_anything_is_written(filled, tmp_path, part, words):
    back_up(filled, tmp_path / "backup")
    destroy(filled)
    file = next(path for path in (tmp_path / "backup" / part).rglob("*") if path.is_file())
    DAMAGES[words](file)
    with pytest.raises(ManifestError, match=words):
        restore(filled, tmp_path / "backup")
    assert not filled.state_dir.exists()


def test_a_backup_of_a_newer_format_is_refused(filled, tmp_path):
    back_up(filled, tmp_path / "backup")
    path = tmp_path / "backup" / "manifest.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(ManifestError, match="this release reads up to 1: install"):
        restore(filled, tmp_path / "backup")


def test_a_store_of_a_newer_format_is_neither_backed_up_nor_touched(filled, tmp_path):
    with AnnotationStore(store_folder(filled)) as store:
        store._database.connection.execute("PRAGMA user_version = 2")
    with pytest.raises(StoreError, match="format version 2"):
        back_up(filled, tmp_path / "backup")
    assert list(tmp_path.glob("*backup*")) == []


def test_what_is_damaged_already_is_left_out_and_said(filled, tmp_path):
    kept, *_ = state(filled)
    lost = kept[0].images[0].digest
    with AnnotationStore(store_folder(filled)) as store:
        flip(store.image_path(lost))
    version = open_registry(filled).versions()[0]
    flip(version.weights)
    said = back_up(filled, tmp_path / "backup")
    assert len(said) == 2
    assert lost in said[0]
    assert version.name in said[1]
    destroy(filled)
    restore(filled, tmp_path / "backup")
    with AnnotationStore(store_folder(filled)) as store:
        assert store.annotations() == kept


def test_a_backup_is_never_written_over_another(filled, tmp_path):
    back_up(filled, tmp_path / "backup")
    with pytest.raises(FileExistsError):
        back_up(filled, tmp_path / "backup")


def test_nothing_to_back_up_is_said(settings, tmp_path):
    with pytest.raises(BackupError, match="nothing has been accepted or published"):
        back_up(settings, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
