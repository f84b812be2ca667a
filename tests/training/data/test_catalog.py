import shutil
from pathlib import Path

import pytest

from training.data.catalog import open_dataset, split
from training.data.packed import pack
from training.data.problems import DatasetError

MINI = Path(__file__).parent / "mini"


def test_sets_are_found_by_name_path_and_packed_file(tmp_path: Path) -> None:
    named = open_dataset("mini", MINI.parent)
    assert len(named) == 5
    assert named.name == "mini"
    assert len(open_dataset(MINI / "annotations.json")) == 5
    assert len(open_dataset(str(MINI))) == 5
    pack(named, tmp_path / "mini.pack")
    assert len(open_dataset(tmp_path / "mini.pack")) == 5
    assert len(open_dataset("mini.pack", tmp_path)) == 5
    assert list(open_dataset("mini", tmp_path).sample_ids) == list(named.sample_ids)
    shutil.copytree(MINI, tmp_path / "mini")
    assert type(open_dataset("mini", tmp_path)) is type(named), "the folder wins over its pack"


def test_a_folder_that_happens_to_lie_here_does_not_hide_the_one_below_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(MINI, tmp_path / "sets" / "mini")
    (tmp_path / "mini").mkdir()
    monkeypatch.chdir(tmp_path)
    assert len(open_dataset("mini", tmp_path / "sets")) == 5


def test_a_set_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nonsense(.|\n)*--data"):
        open_dataset("nonsense", tmp_path)


def test_the_parts_of_a_split_are_disjoint_and_complete() -> None:
    dataset = open_dataset(MINI)
    training, validation = split(dataset, 0.5, seed=1)
    assert sorted([*training.sample_ids, *validation.sample_ids]) == sorted(dataset.sample_ids)
    assert len(training)
    assert len(validation)
    assert training[0].sample_id == training.sample_ids[0]
    again, _ = split(dataset, 0.5, seed=1)
    assert list(again.sample_ids) == list(training.sample_ids)
    assert any(
        list(split(dataset, 0.5, seed)[0].sample_ids) != list(training.sample_ids)
        for seed in range(2, 8)
    )
    assert len(split(dataset, 0.0)[1]) == 0


def test_an_image_keeps_its_part_when_others_go() -> None:
    dataset = open_dataset(MINI)
    _, validation = split(dataset, 0.5, seed=1)
    _, fewer = split(split(dataset, 0.4, seed=3)[0], 0.5, seed=1)
    assert set(fewer.sample_ids) <= set(validation.sample_ids)


def test_a_fraction_beyond_one_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"1\.5"):
        split(open_dataset(MINI), 1.5)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("sets/mimi", "sets/mini"),
        ("stes/mini", "sets/mini"),
        ("sets/mini/annotation.json", "sets/mini/annotations.json"),
        ("quite/another", None),
    ],
)
def test_a_misspelled_path_is_answered_with_the_one_that_may_be_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, meant: str | None
) -> None:
    shutil.copytree(MINI, tmp_path / "sets" / "mini")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError) as error:
        open_dataset(asked)
    assert (f"Did you mean {meant}?" in str(error.value)) == (meant is not None)
    assert ("Did you mean" in str(error.value)) == (meant is not None)
