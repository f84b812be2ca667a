"""The memory of a project, made and kept."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dynamite
from dynamite.adaptation import Adaptation
from dynamite.network.model import DynaMITE
from tests.training.memory.conftest import accept, tiny_model
from tests.training.tiny_run import TINY_MODEL
from training.annotation_store import AnnotationKey, AnnotationStore, ProjectKey
from training.data.sample import Sample
from training.memory import growth
from training.memory import kept as kept_module
from training.memory import remember as remember_module
from training.memory.evidence import Verdict
from training.memory.kept import FORMAT_VERSION, KeptByNewerError, KeptMemories, Record
from training.memory.remember import in_words, remember

PROJECT = ProjectKey("label_studio", 3)

HELPS = Verdict(3, (4.0, 3.0), (0.6, 0.7), 0.2, 0.05, "", ("hole",))
HURTS = Verdict(3, (4.0, 4.5), (0.6, 0.7), -0.1, 0.05, "less than 2% can be expected", ())


@pytest.fixture
def kept(tmp_path: Path) -> KeptMemories:
    return KeptMemories(tmp_path / "memory")


def made(model: DynaMITE, store: AnnotationStore, kept: KeptMemories, **more: Any) -> Record:
    values = {"weights": "tiny-1", "exhaustive": True, "steps": 0.02} | more
    return remember(model, store, PROJECT, kept, np.random.default_rng(0), **values)


def files(kept: KeptMemories) -> list[str]:
    return sorted(path.name for path in kept.folder.iterdir())


def judged(monkeypatch: pytest.MonkeyPatch, verdict: Verdict) -> None:
    monkeypatch.setattr(remember_module, "judge", lambda _: verdict)


def accept_all(store: AnnotationStore, samples: list[Sample]) -> AnnotationStore:
    for number, sample in enumerate(samples, start=1):
        accept(store, number, sample)
    return store


@pytest.fixture
def four(store: AnnotationStore, samples: list[Sample]) -> AnnotationStore:
    return accept_all(store, samples)


@pytest.fixture(scope="module")
def learned(samples: list[Sample], tmp_path_factory: pytest.TempPathFactory) -> KeptMemories:
    """The memory of ``four``, for copies: it takes seconds to make."""
    folder = tmp_path_factory.mktemp("learned")
    kept = KeptMemories(folder / "memory")
    with AnnotationStore(folder / "annotations") as store:
        made(tiny_model(), accept_all(store, samples), kept)
    return kept


@pytest.fixture
def before(learned: KeptMemories, kept: KeptMemories) -> Record:
    """What is known of ``four`` already."""
    shutil.copytree(learned.folder, kept.folder)
    record = kept.record(PROJECT)
    assert record is not None
    return record


def test_what_helps_is_used(
    model: DynaMITE, four: AnnotationStore, kept: KeptMemories, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(monkeypatch, HELPS)
    record = made(model, four, kept)
    assert kept.record(PROJECT) == record
    assert (record.images, len(record.known), len(record.outcomes)) == (4, 4, 3)
    assert (record.change, record.is_on, record.without) == (four.change(), True, ("hole",))
    assert record.words == (
        "on: expected to save 20 ± 5 % of the clicks (4.00 → 3.00 clicks per object on 3 images "
        "before they were learned; without it: hole)"
    )
    adaptation = Adaptation.load(kept.weights_path(record))
    assert (adaptation.digest, adaptation.model_version) == (record.digest, "tiny-1")
    assert {row.label for row in record.labels} == {"disc", "rectangle"}


def test_what_does_not_help_is_off_and_says_so_but_goes_on_learning(
    model: DynaMITE, four: AnnotationStore, kept: KeptMemories, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(monkeypatch, HURTS)
    record = made(model, four, kept)
    assert not record.is_on
    assert record.words == (
        "off: less than 2% can be expected (4.00 → 4.50 clicks per object on 3 images before they "
        "were learned; it would save -10 ± 5 % of the clicks)"
    )
    assert files(kept) == [
        "label_studio-3-" + (record.digest or "") + ".safetensors",
        "label_studio-3.json",
    ]


def test_a_new_image_is_all_that_is_tried_and_learned(
    model: DynaMITE,
    store: AnnotationStore,
    kept: KeptMemories,
    samples: list[Sample],
) -> None:
    for number in (1, 2, 3):
        accept(store, number, samples[number])
    before = made(model, store, kept)
    accept(store, 4, samples[0])
    after = made(model, store, kept)
    assert after.outcomes[:2] == before.outcomes
    assert len(after.outcomes) == 3
    assert after.known[:3] == before.known
    assert after.digest != before.digest
    assert len(files(kept)) == 2  # no weights of before are left


@pytest.mark.parametrize("change", ["deletion", "other masks"])
def test_what_is_gone_has_no_part_in_what_is_known(
    model: DynaMITE,
    four: AnnotationStore,
    kept: KeptMemories,
    before: Record,
    samples: list[Sample],
    change: str,
) -> None:
    if change == "deletion":
        four.delete(AnnotationKey("label_studio", 2))
    else:
        annotation = four.annotation(AnnotationKey("label_studio", 2))
        assert annotation is not None
        newer = "2026-02-01T00:00:00.000000+00:00"
        four.apply(replace(annotation, updated_at=newer))
    learned_again: list[bool] = []
    plain = growth.learn
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            growth,
            "learn",
            lambda *a, **k: learned_again.append(k["start"] is None) or plain(*a, **k),
        )
        after = made(model, four, kept)
    assert learned_again[0]
    gone = before.known[1]
    assert gone not in after.known
    assert gone not in {one.image for one in after.outcomes}
    assert set(before.outcomes[1:]) <= set(after.outcomes)  # what was tried counts on


@pytest.mark.parametrize("fault", ["cut", "gone", "other", "record"])
def test_a_damaged_memory_is_learned_again(
    model: DynaMITE,
    four: AnnotationStore,
    kept: KeptMemories,
    before: Record,
    samples: list[Sample],
    fault: str,
) -> None:
    path = kept.weights_path(before)
    if fault == "cut":
        path.write_bytes(path.read_bytes()[:100])
    elif fault == "gone":
        path.unlink()
    elif fault == "other":
        Adaptation({}, "tiny-1").save(path)
    else:
        (kept.folder / "label_studio-3.json").write_bytes(b"\xff" * 9)
    accept(four, 9, samples[0])
    after = made(model, four, kept)
    assert len(after.known) == 4  # two of the five annotations are of one image
    assert Adaptation.load(kept.weights_path(after)).digest == after.digest


def test_other_weights_begin_a_memory_of_their_own(
    model: DynaMITE, four: AnnotationStore, kept: KeptMemories, before: Record
) -> None:
    model.version = "tiny-2"
    after = made(model, four, kept, weights="tiny-2")
    assert after.model_version == "tiny-2"
    assert after.digest != before.digest


def test_a_memory_of_many_images_begins_again(
    model: DynaMITE,
    four: AnnotationStore,
    kept: KeptMemories,
    before: Record,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remember_module, "MOST_KNOWN", 4)
    plain, starts = growth.learn, []
    monkeypatch.setattr(
        growth, "learn", lambda *a, **k: starts.append(k["start"]) or plain(*a, **k)
    )
    made(model, four, kept)
    assert starts[0] is None
    assert before.digest is not None


def test_a_memory_of_a_newer_release_is_left_alone(
    model: DynaMITE,
    four: AnnotationStore,
    kept: KeptMemories,
    before: Record,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = kept.folder / "label_studio-3.json"
    content = path.read_text().replace(f'"format": {FORMAT_VERSION}', '"format": 9')
    path.write_text(content)
    newer = KeptMemories(kept.folder)
    assert newer.records() == newer.records() == []
    assert caplog.text.count("has format version 9, this release reads up to 2") == 1
    assert newer.newer(PROJECT)
    with pytest.raises(KeptByNewerError, match="install the release"):
        made(model, four, newer)
    newer.write(before.model_copy(update={"project": 4, "digest": None}))
    assert path.read_text() == content
    assert newer.weights_path(before).is_file()


def test_a_memory_of_an_older_release_is_made_again(
    model: DynaMITE, four: AnnotationStore, kept: KeptMemories
) -> None:
    kept.folder.mkdir()
    (kept.folder / "label_studio-3.json").write_text(
        json.dumps({"source": "label_studio", "project": 3, "digest": "00000000", "clicks": [4, 3]})
    )
    assert kept.newer(PROJECT) is None
    assert kept.record(PROJECT) is None
    assert made(model, four, kept) == kept.record(PROJECT)


def test_hostile_annotations_cost_little_and_break_nothing(
    model: DynaMITE, store: AnnotationStore, kept: KeptMemories, samples: list[Sample]
) -> None:
    height, width = samples[0].label_map.shape
    grid = np.arange(height * width, dtype=np.int32).reshape(height, width) // 12
    crowd = replace(
        samples[0],
        label_map=grid,
        labels=tuple(f"{number}" + "<x>\n" * 9000 for number in range(int(grid.max()) + 1)),
        ignore=np.zeros_like(grid, np.bool_),
        parents=(),
        stuff=(),
        whole_areas=(),
    )
    only = {"labels": ("",), "parents": (), "stuff": (), "whole_areas": ()}
    whole = replace(crowd, label_map=np.zeros_like(grid), **only)  # type: ignore[arg-type]
    for number, sample in enumerate((samples[0], crowd, whole, samples[2]), start=1):
        accept(store, number, replace(sample, image=samples[number - 1].image))
    record = made(model, store, kept)
    assert (record.images, len(record.outcomes)) == (4, 3)
    assert (kept.folder / "label_studio-3.json").stat().st_size < 20_000
    assert kept.record(PROJECT) == record


def test_words_for_one_image() -> None:
    assert "on 1 image before" in in_words(replace(HELPS, images=1, without=()))


def test_one_image_is_not_enough(
    model: DynaMITE, store: AnnotationStore, kept: KeptMemories, samples: list[Sample]
) -> None:
    accept(store, 1, samples[0])
    assert made(model, store, kept).words == "off: 2 accepted images are needed, there are 1"


def test_a_network_without_a_refiner_learns_nothing(
    store: AnnotationStore, kept: KeptMemories
) -> None:
    values = TINY_MODEL | {"refiner_channels": 0}
    plain = dynamite.load("lite", random_weights=True, **values)
    assert made(plain, store, kept).words == "off: lite has no refiner, which would learn"


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
        is_on=digest is not None,
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
    assert not kept.records()[-1].is_on
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
