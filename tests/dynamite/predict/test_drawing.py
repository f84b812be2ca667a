import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dynamite.network.prediction import Decision
from dynamite.predict.drawing import Drawing


def drawing(
    maps: list[list[float]], owners: list[int], inside: tuple[int, int] = (1, 4)
) -> Drawing:
    """The drawing of maps of one row."""
    return Drawing(Decision(torch.tensor(maps)[:, None], torch.tensor(owners)), inside)


def scores(drawn: Drawing) -> list[float]:
    return drawn.scores(drawn.certainty()).tolist()


def test_the_largest_of_all_maps_of_an_object_wins() -> None:
    found = drawing([[0.0, 0, 5, 0], [3, 0, 0, 0], [1, 1, 1, -9], [2, 0, 0, -9]], [0, 0, 1, -1])
    assert found.owner_hw.tolist() == [[0, 1, 0, 0]]
    sure = torch.tensor([[1.0, 1.0, 4.0, 9.0]]).sigmoid()
    assert found.certainty().tolist() == pytest.approx(sure.numpy())


def test_scores_are_the_mean_certainty_of_the_cells_won() -> None:
    found = drawing([[2.0, 2.0, -5.0, -5.0], [0.0, 0.0, 1.0, 3.0]], [0, -1])
    assert scores(found) == pytest.approx([torch.tensor(2.0).sigmoid().item()])


def test_padding_counts_for_nothing() -> None:
    found = drawing([[2.0, 9.0, 9.0, 9.0], [0.0, 0.0, 0.0, 0.0]], [0, -1], inside=(1, 1))
    assert found.owner_hw.tolist() == [[0]]
    assert scores(found) == pytest.approx([torch.tensor(2.0).sigmoid().item()])


def test_an_object_that_wins_nothing_scores_zero() -> None:
    assert scores(drawing([[-1.0] * 4, [0.0] * 4], [0, -1])) == [0.0]


def test_where_the_background_is_as_large_as_an_object_it_wins() -> None:
    assert drawing([[1.0] * 4, [1.0] * 4], [0, -1]).owner_hw.tolist() == [[-1] * 4]


def test_what_is_added_decides_anew() -> None:
    found = drawing([[0.0] * 4, [1.0] * 4, [2.0] * 4], [0, 1, -1])
    column = np.array([[3.0]], np.float32)
    found.add([(0, (slice(0, 1), slice(2, 3)), column), (1, (slice(0, 1), slice(1, 2)), column)])
    assert found.owner_hw.tolist() == [[-1, 1, 0, -1]]


@given(seed=st.integers(0, 10_000), objects=st.integers(0, 4))
def test_owners_and_certainty_are_those_of_sorted_maps(seed: int, objects: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    owners = torch.tensor([*(index for index in range(objects) for _ in range(2)), -1, -1])
    maps = torch.randn(len(owners), 5, 7, generator=generator)
    found = Drawing(Decision(maps, owners), (5, 7))
    assert (found.owner_hw == owners[maps.argmax(0)].numpy()).all()
    if objects:
        each = torch.stack([maps[owners == one].amax(0) for one in range(-1, objects)])
        best, second = each.sort(0, descending=True).values[:2]
        assert torch.equal(found.certainty(), (best - second).sigmoid())
