import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamite import Click, ClickSet, Predictor
from dynamite.model import DynaMITE
from dynamite.obedience import obey
from tests.dynamite.golden import make_image


def test_the_query_of_a_click_wins_around_it_and_nowhere_else() -> None:
    logits = torch.stack((torch.full((20, 20), -9.0), torch.full((20, 20), 5.0)))
    winner = obey(logits, torch.tensor([[10.5, 10.5]])).argmax(dim=0)
    assert winner[10, 10] == 0
    assert winner[10, 12] == 0
    assert winner[10, 14] == 1
    assert (winner == 0).sum() < 40


def test_a_cell_between_two_clicks_belongs_to_the_nearer() -> None:
    logits = torch.zeros(3, 8, 8)
    logits[2] = 7.0
    winner = obey(logits, torch.tensor([[4.5, 2.5], [4.5, 5.5]])).argmax(dim=0)
    assert winner[4, :8].tolist()[2:6] == [0, 0, 1, 1]


def test_logits_far_from_all_clicks_are_left_as_they_are() -> None:
    logits = torch.randn(4, 30, 30, generator=torch.Generator().manual_seed(0))
    obeyed = obey(logits, torch.tensor([[5.0, 5.0]]))
    assert torch.equal(obeyed[:, 9:], logits[:, 9:])
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
