import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamite import Click, ClickSet, Predictor
from dynamite.model import DynaMITE
from dynamite.obedience import MARGIN, REACH, obey
from tests.dynamite.golden import make_image


def test_the_query_of_a_click_wins_around_it_and_nowhere_else() -> None:
    logits = torch.stack((torch.full((20, 20), -9.0), torch.full((20, 20), 5.0)))
    winner = obey(logits, torch.tensor([[10.5, 10.5]])).argmax(dim=0)
    assert winner[10, 10] == 0
    assert winner[10, 11] == 0
    assert winner[10, 12] == 1
    assert (winner == 0).sum() == 9


def test_a_cell_between_two_clicks_belongs_to_the_nearer() -> None:
    logits = torch.zeros(3, 8, 8)
    logits[2] = 7.0
    places = torch.tensor([[4.5, 2.5], [4.5, 4.4]])
    winner = obey(logits, places).argmax(dim=0)
    assert winner[4].tolist() == [2, 0, 0, 1, 1, 1, 2, 2]


def plain(logits: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Every cell of the map asked for its nearest click."""
    obeyed = logits.clone()
    for y in range(logits.shape[1]):
        for x in range(logits.shape[2]):
            down, across = y + 0.5 - places[:, 0], x + 0.5 - places[:, 1]
            distances = (down.square() + across.square()).sqrt()
            nearest = int(distances.argmin())
            if distances[nearest] < REACH:
                wanted = logits[:, y, x].amax() + MARGIN * (1 - distances[nearest] / REACH)
                obeyed[nearest, y, x] = torch.maximum(logits[nearest, y, x], wanted)
    return obeyed


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 1000), clicks=st.integers(1, 6), size=st.tuples(*[st.integers(1, 14)] * 2)
)
def test_looking_around_clicks_gives_what_looking_everywhere_gives(
    seed: int, clicks: int, size: tuple[int, int]
) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(clicks + 2, *size, generator=generator)
    # On a grid of half cells, so that many are equally near to a cell.
    places = torch.rand(clicks, 2, generator=generator) * torch.tensor(size) * 2
    places = places.floor() / 2
    assert torch.equal(obey(logits, places), plain(logits, places))


def test_logits_far_from_all_clicks_are_left_as_they_are() -> None:
    logits = torch.randn(4, 30, 30, generator=torch.Generator().manual_seed(0))
    obeyed = obey(logits, torch.tensor([[5.0, 5.0]]))
    assert torch.equal(obeyed[:, 7:], logits[:, 7:])
    assert torch.equal(obeyed[1:], logits[1:])


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 1000))
def test_the_clicked_pixels_are_what_was_said(lite: DynaMITE, seed: int) -> None:
    """However untrained the network; clicks at least two reaches apart, away from the border."""
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
