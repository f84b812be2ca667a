import pytest
import torch

from dynamite.network.prediction import Decision
from dynamite.predict.winner_map import WinnerMap


def winners(
    maps: list[list[float]], owners: list[int], inside: tuple[int, int] = (1, 4)
) -> WinnerMap:
    """The winners in maps of one row."""
    decision = Decision(torch.tensor(maps)[:, None], torch.tensor(owners))
    return WinnerMap.from_decision(decision, max(owners) + 1, inside)


def test_the_largest_of_all_maps_of_an_object_wins() -> None:
    found = winners([[0.0, 0, 5, 0], [3, 0, 0, 0], [1, 1, 1, -9], [2, 0, 0, -9]], [0, 0, 1, -1])
    assert found.owner_hw.tolist() == [[0, 1, 0, 0]]
    assert found.best_hw.tolist() == [[3, 1, 5, 0]]
    assert found.runner_up_hw.tolist() == [[2, 0, 1, -9]]


def test_scores_are_the_mean_certainty_of_the_cells_won() -> None:
    found = winners([[2.0, 2.0, -5.0, -5.0], [0.0, 0.0, 1.0, 3.0]], [0, -1])
    assert found.scores(1).tolist() == pytest.approx([torch.tensor(2.0).sigmoid().item()])


def test_padding_counts_for_nothing() -> None:
    found = winners([[2.0, 9.0, 9.0, 9.0], [0.0, 0.0, 0.0, 0.0]], [0, -1], inside=(1, 1))
    assert found.owner_hw.tolist() == [[0]]
    assert found.scores(1).tolist() == pytest.approx([torch.tensor(2.0).sigmoid().item()])


def test_an_object_that_wins_nothing_scores_zero() -> None:
    assert winners([[-1.0] * 4, [0.0] * 4], [0, -1]).scores(1).tolist() == [0.0]
