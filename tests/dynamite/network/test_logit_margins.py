import pytest
import torch

from dynamite.network.logit_margins import logit_margins


def test_each_map_is_set_against_the_best_other() -> None:
    maps = torch.tensor([[5.0, 1.0, 2.0], [3.0, 4.0, 2.0], [-1.0, 0.0, 0.0]])
    assert logit_margins(maps).tolist() == [[2.0, -3.0, 0.0], [-2.0, 3.0, 0.0], [-6.0, -4.0, -2.0]]


@pytest.mark.parametrize("dim", [0, 1, 2])
def test_any_dimension_by_sorting(dim: int) -> None:
    maps = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(1))
    ordered = maps.sort(dim=dim, descending=True).values
    best, second = ordered.select(dim, 0).unsqueeze(dim), ordered.select(dim, 1).unsqueeze(dim)
    assert torch.equal(logit_margins(maps, dim), maps - torch.where(maps == best, second, best))


def test_gradients_reach_the_map_and_its_rival_alone() -> None:
    maps = torch.tensor([[5.0], [3.0], [1.0]], requires_grad=True)
    logit_margins(maps)[0].sum().backward()
    assert maps.grad is not None
    assert maps.grad.tolist() == [[1.0], [-1.0], [0.0]]
