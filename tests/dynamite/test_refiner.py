import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamite.refiner import DILATIONS, MARGIN, Refiner

HEIGHT, WIDTH, FEATURES = 60, 80, 8


def refiner(seed: int = 0) -> Refiner:
    """One that changes something, as if it were trained."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Refiner(FEATURES, 4)
        torch.nn.init.normal_(network.change.weight)
    return network.eval()


def detail(network: Refiner) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    found: torch.Tensor = network.detail(
        torch.randn(1, FEATURES, HEIGHT, WIDTH, generator=generator)
    )
    return found[0]


def refine(logits: torch.Tensor, owners: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    network = refiner()
    refined: torch.Tensor = network(detail(network), logits, owners, places)
    return refined


def square(top: int, left: int, side: int) -> torch.Tensor:
    """The logits of a query that finds a square."""
    logits = torch.full((HEIGHT, WIDTH), -4.0)
    logits[top : top + side, left : left + side] = 4
    return logits


BACKGROUND = torch.zeros(HEIGHT, WIDTH)


def test_untrained_it_changes_nothing() -> None:
    logits = torch.stack((square(5, 5, 6), BACKGROUND))
    fresh = Refiner(FEATURES, 4)
    refined = fresh(detail(fresh), logits, torch.tensor([0, -1]), torch.tensor([[7.5, 7.5]]))
    assert torch.equal(refined, logits)


@torch.inference_mode()
def test_it_changes_an_object_around_it_and_the_background_nowhere() -> None:
    logits = torch.stack((square(20, 30, 6), BACKGROUND, BACKGROUND - 1))
    places, owners = torch.tensor([[22.5, 32.5], [2.5, 2.5]]), torch.tensor([0, -1, -1])
    change = refine(logits, owners, places) - logits
    assert not change[1:].any()
    changed = change[0].nonzero()
    assert len(changed) > 36
    assert changed.amin(0).tolist() >= [20 - MARGIN, 30 - MARGIN]
    assert (changed.amax(0) < torch.tensor([26 + MARGIN, 36 + MARGIN])).all()


@torch.inference_mode()
def test_all_queries_of_an_object_change_alike() -> None:
    logits = torch.stack((square(20, 30, 6), square(22, 34, 9), BACKGROUND))
    places, owners = torch.tensor([[22.5, 32.5], [25.5, 38.5]]), torch.tensor([0, 0, -1])
    change = refine(logits, owners, places) - logits
    assert torch.allclose(change[0], change[1], atol=1e-5)


@torch.inference_mode()
def test_a_click_changes_the_answer_near_it_alone() -> None:
    logits = torch.stack((square(20, 10, 40), square(20, 10, 40), BACKGROUND))
    owners = torch.tensor([0, -1, -1])
    logits[1] = -9
    near, far = ([[40.5, 20.5], [25.5, x]] for x in (15.5, 45.5))
    answers = [refine(logits, owners, torch.tensor(places)) for places in (near, far)]
    differs = (answers[0] - answers[1]).abs().amax(0) > 1e-4
    assert differs[20:30, 12:18].any()
    assert differs[20:30, 42:48].any()
    assert not differs[55:, 25:35].any()


@torch.inference_mode()
def test_far_from_an_object_its_box_has_no_say() -> None:
    # What is cut away is further off than convolutions look: a wider cut gives the same.
    seen = sum(DILATIONS)
    logits = torch.stack((square(25, 35, 5), BACKGROUND))
    owners, places = torch.tensor([0, -1]), torch.tensor([[27.5, 37.5]])
    small = refine(logits, owners, places)
    wide = logits.clone()
    wide[0, 0, 0] = wide[0, -1, -1] = 0.1  # crumbs in the corners stretch the box over the map
    large = refine(wide, owners, places)
    inside = (
        slice(25 - MARGIN + seen, 30 + MARGIN - seen),
        slice(35 - MARGIN + seen, 40 + MARGIN - seen),
    )
    assert torch.allclose(small[0][inside], large[0][inside], atol=1e-4)


@settings(deadline=None, max_examples=25)
@given(
    objects=st.integers(1, 4),
    clicks=st.lists(
        st.tuples(st.integers(-1, 3), st.floats(0, HEIGHT - 0.01), st.floats(0, WIDTH - 0.01)),
        max_size=5,
    ),
)
def test_any_clicks_give_finite_logits(
    objects: int, clicks: list[tuple[int, float, float]]
) -> None:
    first = [(owner, 3.0 + owner, 3.0) for owner in range(objects)]
    said = sorted(
        [*first, *((min(o, objects - 1), y, x) for o, y, x in clicks)],
        key=lambda click: (click[0] < 0, click[0]),
    )
    owners = torch.tensor([owner for owner, _, _ in said] + [-1])
    places = torch.tensor([[y, x] for _, y, x in said])
    logits = torch.randn(
        len(owners), HEIGHT, WIDTH, generator=torch.Generator().manual_seed(len(said))
    )
    refined = refine(logits, owners, places)
    assert refined.shape == logits.shape
    assert refined.isfinite().all()
