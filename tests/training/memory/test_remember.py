"""The memory of a project, made and kept."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamite.adaptation import Adaptation
from dynamite.network.model import DynaMITE
from tests.training.memory.conftest import accept
from training.annotation_store import AnnotationKey, AnnotationStore, ProjectKey
from training.data.sample import Sample
from training.memory import kept as kept_module
from training.memory import remember as remember_module
from training.memory.kept import KeptMemories, Record
from training.memory.remember import remember
from training.memory.trial import LabelTrial, Trial

PROJECT = ProjectKey("label_studio", 3)

HELPS = Trial(4, (4.0, 3.0), (0.6, 0.7), 0.1, (LabelTrial("disc", 4, (0.6, 0.7), (4.0, 3.0)),))
HURTS = Trial(4, (4.0, 4.5), (0.6, 0.7), 0.1, ())


@pytest.fixture
def kept(tmp_path: Path) -> KeptMemories:
    return KeptMemories(tmp_path / "memory")


def made(model: DynaMITE, store: AnnotationStore, kept: KeptMemories, **more: Any) -> Record:
    values = {"weights": "tiny-1", "exhaustive": True, "steps": 2} | more
    return remember(model, store, PROJECT, kept, np.random.default_rng(0), **values)


def files(kept: KeptMemories) -> list[str]:
    return sorted(path.name for path in kept.folder.iterdir())


def test_what_helps_is_learned_and_kept(
    model: DynaMITE,
    store: AnnotationStore,
    kept: KeptMemories,
    samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remember_module, "try_memory", lambda *_, **__: HELPS)
    for number, sample in enumerate(samples, start=1):
        accept(store, number, sample)
    record = made(model, store, kept)
    assert kept.record(PROJECT) == record
    assert record.images == 4
    assert record.change == store.change()
    assert (
        record.words
        == "on: saves 25 ± 2 % of the clicks, 4.00 → 3.00 per object in a trial on 4 images"
    )
    adaptation = Adaptation.load(kept.weights_path(record))
    assert (adaptation.digest, adaptation.model_version) == (record.digest, "tiny-1")
    store.delete(AnnotationKey("label_studio", 4))
    newer = made(model, store, kept)
    assert newer.digest != record.digest
    name = f"label_studio-3-{newer.digest}.safetensors"
    assert files(kept) == [name, "label_studio-3.json"]


def test_what_does_not_help_is_off_and_says_so(
    model: DynaMITE,
    store: AnnotationStore,
    kept: KeptMemories,
    samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number, sample in enumerate(samples, start=1):
        accept(store, number, sample)
    monkeypatch.setattr(remember_module, "try_memory", lambda *_, **__: HELPS)
    made(model, store, kept)
    monkeypatch.setattr(remember_module, "try_memory", lambda *_, **__: HURTS)
    record = made(model, store, kept)
    assert record.digest is None
    assert record.words.startswith("off: saves -12 ± 2 % of the clicks")
    assert record.words.endswith(": less than 2%")
    assert files(kept) == ["label_studio-3.json"]


def test_a_real_trial_ends_on_the_record(
    model: DynaMITE, store: AnnotationStore, kept: KeptMemories, samples: list[Sample]
) -> None:
    for number, sample in enumerate(samples, start=1):
        accept(store, number, sample)
    record = made(model, store, kept)
    assert {row.label for row in record.labels} == {"disc", "rectangle"}
    assert record.clicks is not None
    assert record.words.startswith(("on: ", "off: "))


def test_one_image_is_not_enough(
    model: DynaMITE, store: AnnotationStore, kept: KeptMemories, samples: list[Sample]
) -> None:
    accept(store, 1, samples[0])
    assert made(model, store, kept).words == "off: 2 accepted images are needed, there are 1"


def test_a_network_that_would_fill_the_memory_is_refused(
    model: DynaMITE,
    store: AnnotationStore,
    kept: KeptMemories,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remember_module, "MOST_WEIGHTS", 10)
    assert made(model, store, kept).words == "off: lite is too large for memories"


def record(number: int, digest: str | None) -> Record:
    return Record(
        source="label_studio",
        project=number,
        change=1,
        weights="w",
        model_version="w",
        images=2,
        made=f"2026-01-01T00:00:{number:02d}+00:00",
        words="on: it helps",
        digest=digest,
    )


def test_the_oldest_memories_are_switched_off(
    kept: KeptMemories, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_module, "MOST", 2)
    for number in (1, 2, 3):
        kept.write(record(number, f"{number:08x}"), lambda path: path.touch())
    assert [(one.project, one.digest is not None) for one in kept.records()] == [
        (3, True),
        (2, True),
        (1, False),
    ]
    assert "off" in kept.records()[-1].words
    assert len(list(kept.folder.glob("*.safetensors"))) == 2


def test_weights_that_no_record_names_are_removed(kept: KeptMemories) -> None:
    kept.write(record(1, "00000001"), lambda path: path.touch())
    orphan = kept.folder / "label_studio-1-99999999.safetensors"
    orphan.touch()  # as a process leaves them that was killed before its record
    kept.write(record(2, None))
    assert not orphan.exists()
    kept.forget(("label_studio", 1))
    assert files(kept) == ["label_studio-2.json"]


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"source": 3}'])
def test_a_damaged_record_is_none(kept: KeptMemories, content: str) -> None:
    kept.folder.mkdir()
    (kept.folder / "label_studio-3.json").write_text(content)
    assert kept.record(PROJECT) is None
    assert kept.records() == []


def test_nothing_is_written_where_a_share_is_not_mounted(tmp_path: Path) -> None:
    kept = KeptMemories(tmp_path / "share" / "memory")
    with pytest.raises(FileNotFoundError):
        kept.write(record(1, None))
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_there_is_nothing(kept: KeptMemories) -> None:
    assert kept.records() == []
    kept.forget(PROJECT)
