import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamite import Click, ClickSet, Predictor
from dynamite.network.enforce_clicks import (
    CLICK_MARGIN,
    MAX_RADIUS,
    MIN_RADIUS,
    enforce_clicks,
    enforcement_radii,
)
from dynamite.network.model import DynaMITE
from tests.dynamite.golden import make_image


def owners(clicks: int, queries: int) -> torch.Tensor:
    """Each click on an object of its own, all other queries background."""
    return torch.cat((torch.arange(clicks), torch.full((queries - clicks,), -1)))


def enforced(logits: torch.Tensor, coords: torch.Tensor, map_owners: torch.Tensor) -> torch.Tensor:
    """The result for maps of queries, the clicks' queries first."""
    return enforce_clicks(
        logits, coords, torch.arange(len(coords)), map_owners, torch.arange(len(coords))
    )


def test_the_query_of_a_click_wins_around_it_and_nowhere_else() -> None:
    logits = torch.stack((torch.full((20, 20), -9.0), torch.full((20, 20), 5.0)))
    winner = enforced(logits, torch.tensor([[10.5, 10.5]]), torch.tensor([-1, -1])).argmax(dim=0)
    assert winner[10, 10] == 0
    assert winner[10, 12] == 0
    assert winner[10, 14] == 1
    assert (winner == 0).sum() < 40


def test_with_a_refiner_a_click_reaches_no_further_than_its_pixel_needs() -> None:
    logits = torch.stack((torch.full((20, 20), -9.0), torch.full((20, 20), 5.0)))
    coord, map_owners = torch.tensor([[10.5, 10.5]]), torch.tensor([-1, -1])
    winner = enforce_clicks(
        logits, coord, torch.tensor([0]), map_owners, torch.tensor([0]), MIN_RADIUS
    ).argmax(dim=0)
    assert (winner == 0).sum() == 9  # three by three cells


def test_a_cell_between_two_clicks_belongs_to_the_nearer() -> None:
    logits = torch.zeros(3, 8, 8)
    logits[2] = 7.0
    coords = torch.tensor([[4.5, 2.5], [4.5, 5.5]])
    winner = enforced(logits, coords, torch.tensor([-1, -1, -1])).argmax(dim=0)
    assert winner[4, :8].tolist()[2:6] == [0, 0, 1, 1]


@pytest.mark.parametrize(("times", "winner"), [((0, 1), 1), ((1, 0), 0), ((3, 3), 1)])
def test_of_two_clicks_on_the_same_spot_the_newer_is_meant(times, winner) -> None:
    logits = torch.tensor([5.0, -5.0, 9.0])[:, None, None].expand(3, 8, 8)
    coords = torch.tensor([[4.25, 4.25], [4.25, 4.25]])
    found = enforce_clicks(
        logits, coords, torch.tensor(times), torch.tensor([0, 1, -1]), torch.arange(2)
    )
    assert (found.argmax(dim=0)[4, 4], found.argmax(dim=0)[0, 0]) == (winner, 2)


def test_a_click_said_again_for_the_background_takes_back_the_first(lite: DynaMITE) -> None:
    predictor = Predictor(lite)
    features = predictor.encode(make_image(96, 128))
    right, wrong = Click(20, 20, 0), Click(90.4, 60.2, 1)
    found = predictor.segment(features, ClickSet([[right, wrong]], [Click(90.4, 60.2, 2)]))
    assert found.label_map[60, 90] == -1


@pytest.mark.parametrize("side", [8, 32, 64, 128])
def test_the_clicked_pixels_of_a_small_image_are_what_was_said(lite: DynaMITE, side: int) -> None:
    """In the enlarged input, a click on a pixel's corner is far from the pixel's middle."""
    predictor = Predictor(lite)
    rng = np.random.default_rng(side)
    features = predictor.encode(rng.integers(0, 255, (side, side, 3), np.uint8))
    for _ in range(3):
        spots = rng.choice(side * side, 4, replace=False)
        ys, xs = (part.tolist() for part in np.divmod(spots, side))
        a, b, c, d = (Click(x, y, time) for time, (y, x) in enumerate(zip(ys, xs, strict=True)))
        found = predictor.segment(features, ClickSet([[a], [b]], [c, d])).label_map
        assert [found[y, x] for y, x in zip(ys, xs, strict=True)] == [0, 1, -1, -1]


def test_clicks_reach_less_far_on_and_beside_small_objects() -> None:
    logits = torch.full((4, 80, 80), -5.0)
    logits[0, 2:42, 2:42] = 5  # an object of 40 cells a side
    logits[1, 60:66, 60:66] = 5  # and one of 6
    logits[3] = 0
    coords = torch.tensor([[20.5, 20.5], [63.5, 63.5], [61.5, 61.5]])
    map_owners, own = torch.tensor([0, 1, -1, -1]), torch.arange(3)
    assert enforcement_radii(logits, coords, map_owners, own).tolist() == [
        MAX_RADIUS,
        MIN_RADIUS,
        MIN_RADIUS,
    ]


def test_two_clicks_of_an_object_may_share_its_map() -> None:
    logits = torch.stack((torch.full((20, 20), -9.0), torch.full((20, 20), 5.0)))
    coords = torch.tensor([[5.5, 5.5], [15.5, 15.5], [5.5, 15.5]])
    map_owners, own = torch.tensor([0, -1]), torch.tensor([0, 0, 1])
    for max_radius in (MIN_RADIUS, MAX_RADIUS):
        winner = enforce_clicks(
            logits, coords, torch.arange(3), map_owners, own, max_radius
        ).argmax(dim=0)
        assert [winner[y, x].item() for y, x in ((5, 5), (15, 15), (5, 15))] == [0, 0, 1]


def enforce_cell_by_cell(
    logits: torch.Tensor, coords: torch.Tensor, map_owners: torch.Tensor
) -> torch.Tensor:
    """The definition: every cell looks for its nearest click."""
    found, own = logits.clone(), torch.arange(len(coords))
    for y in range(logits.shape[1]):
        for x in range(logits.shape[2]):
            down, across = y + 0.5 - coords[:, 0], x + 0.5 - coords[:, 1]
            distances = (down.square() + across.square()).sqrt()
            nearest = int((distances == distances.min()).nonzero()[-1])  # the newest of equals
            radius = enforcement_radii(logits, coords, map_owners, own)[nearest]
            if distances[nearest] < radius:
                wanted = logits[:, y, x].amax() + CLICK_MARGIN * (1 - distances[nearest] / radius)
                found[nearest, y, x] = torch.maximum(logits[nearest, y, x], wanted)
    return found


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 1000), clicks=st.integers(1, 6), size=st.tuples(*[st.integers(1, 14)] * 2)
)
def test_looking_around_clicks_gives_what_looking_everywhere_gives(
    seed: int, clicks: int, size: tuple[int, int]
) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(clicks + 2, *size, generator=generator)
    # On a grid of half cells, so that many clicks are equally near to a cell.
    coords = torch.rand(clicks, 2, generator=generator) * torch.tensor(size) * 2
    coords = coords.floor() / 2
    map_owners = owners(clicks, clicks + 2)
    assert torch.equal(
        enforced(logits, coords, map_owners), enforce_cell_by_cell(logits, coords, map_owners)
    )


def test_logits_far_from_all_clicks_are_left_as_they_are() -> None:
    logits = torch.randn(4, 30, 30, generator=torch.Generator().manual_seed(0))
    found = enforced(logits, torch.tensor([[5.0, 5.0]]), owners(1, 4))
    assert torch.equal(found[:, 9:], logits[:, 9:])
    assert torch.equal(found[1:], logits[1:])


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 1000))
def test_the_clicked_pixels_are_what_was_said(lite: DynaMITE, seed: int) -> None:
    """With any network; the clicks are at least two radii apart and away from the border."""
    rng = np.random.default_rng(seed)
    spots = [(y, x) for y in range(24, 220, 48) for x in range(24, 300, 48)]
    chosen = [spots[i] for i in rng.choice(len(spots), 4, replace=False)]
    a, b, c, no = (Click(x, y, time) for time, (y, x) in enumerate(chosen))
    predictor = Predictor(lite, resize=None)
    result = predictor.segment(
        predictor.encode(make_image(240, 320)), ClickSet([[a, b], [c]], [no])
    )
    found = [int(result.label_map[int(k.y), int(k.x)]) for k in (a, b, c, no)]
    assert found == [0, 0, 1, -1]
