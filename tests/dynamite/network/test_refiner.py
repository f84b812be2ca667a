import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from dynamite import Click, ClickSet, ImageFeatures, Predictor, load
from dynamite.errors import InvalidInputError
from dynamite.network.logit_margins import merge_queries
from dynamite.network.model import DynaMITE
from dynamite.network.queries import PackedClicks
from dynamite.network.refiner import BOX_MARGIN, DILATIONS, UPSCALE, Refiner, _click_spots
from dynamite.predict.features import join_batch
from tests.dynamite.golden import make_image

HEIGHT, WIDTH, FEATURES = 60, 80, 8


def reupscaled(seed: int = 0) -> Refiner:
    """A refiner that changes something, as if it were trained."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Refiner(FEATURES, 8)
        for layer in network.modules():
            if isinstance(layer, torch.nn.Conv2d):  # keeps the signal's scale through all layers
                torch.nn.init.kaiming_normal_(layer.weight)
    return network.eval()


def detail(network: Refiner) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, 4 * HEIGHT, 4 * WIDTH, generator=generator)
    features = torch.randn(1, FEATURES, HEIGHT, WIDTH, generator=generator)
    found: torch.Tensor = network.detail(image, features)
    return found[0]


def refine(logits: torch.Tensor, owners: torch.Tensor, coords: torch.Tensor) -> torch.Tensor:
    network = reupscaled()
    refined: torch.Tensor = network(detail(network), logits, owners, coords)
    return refined


def unrefined(logits: torch.Tensor, owners: torch.Tensor) -> torch.Tensor:
    """The maps of objects and background without a refiner, at its resolution."""
    maps = merge_queries(logits, torch.bincount(owners + 1)[1:].tolist())
    return interpolate(maps[None], scale_factor=UPSCALE, mode="bilinear")[0]


def change(logits: torch.Tensor, owners: torch.Tensor, coords: torch.Tensor) -> torch.Tensor:
    """What the refiner adds, at its resolution."""
    return refine(logits, owners, coords) - unrefined(logits, owners)


def square(top: int, left: int, side: int) -> torch.Tensor:
    """The logits of a query that finds a square."""
    logits = torch.full((HEIGHT, WIDTH), -4.0)
    logits[top : top + side, left : left + side] = 4
    return logits


def upscaled(start: int, stop: int) -> slice:
    """The output cells of these input cells."""
    return slice(UPSCALE * start, UPSCALE * stop)


BACKGROUND = torch.zeros(HEIGHT, WIDTH)


def test_untrained_it_changes_nothing() -> None:
    logits, owners = torch.stack((square(5, 5, 6), BACKGROUND)), torch.tensor([0, -1])
    fresh = Refiner(FEATURES, 4)
    refined = fresh(detail(fresh), logits, owners, torch.tensor([[7.5, 7.5]]))
    assert torch.equal(refined, unrefined(logits, owners))


@torch.inference_mode()
def test_it_changes_an_object_around_it_and_the_background_nowhere() -> None:
    logits = torch.stack((square(20, 30, 6), BACKGROUND, BACKGROUND - 1))
    coords, owners = torch.tensor([[22.5, 32.5], [2.5, 2.5]]), torch.tensor([0, -1, -1])
    changes = change(logits, owners, coords)
    assert not changes[1:].any()
    changed = changes[0].nonzero()
    assert len(changed) > 36 * UPSCALE**2
    low, high = torch.tensor([20, 30]) - BOX_MARGIN, torch.tensor([26, 36]) + BOX_MARGIN
    assert (changed.amin(0) >= UPSCALE * low).all()
    assert (changed.amax(0) < UPSCALE * high).all()


@torch.inference_mode()
def test_a_distant_component_is_redrawn_only_if_it_is_clicked_or_as_large() -> None:
    far = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    far[48:, 64:] = True
    near, far_off, aside = [7.5, 7.5], [51.5, 71.5], [7.5, 20.5]
    for side, clicks, seen in (
        (4, [near], False),
        (4, [near, far_off], True),
        (7, [near], True),
        (4, [aside], True),  # no component is clicked, so none counts as unclicked
    ):
        logits = torch.stack((torch.maximum(square(5, 5, 6), square(50, 70, side)), BACKGROUND))
        coords = torch.tensor(clicks)
        query = torch.tensor([0] * len(coords) + [-1])
        changes = change(logits[[0] * len(coords) + [1]], query, coords)[0]
        assert bool(changes[far.repeat_interleave(2, 0).repeat_interleave(2, 1)].any()) == seen


@torch.inference_mode()
def test_each_object_is_redrawn_by_its_own_mask_and_clicks() -> None:
    first, second = square(5, 5, 6), square(45, 65, 9)
    owners, coords = torch.tensor([0, 1, -1]), torch.tensor([[7.5, 7.5], [48.5, 68.5]])
    both = refine(torch.stack((first, second, BACKGROUND)), owners, coords)
    for index, one in enumerate((first, second)):
        alone = refine(
            torch.stack((one, BACKGROUND)), torch.tensor([0, -1]), coords[index : index + 1]
        )
        assert torch.allclose(both[index], alone[0], atol=0.01)


@torch.inference_mode()
def test_queries_of_an_object_are_one_map() -> None:
    logits = torch.stack((square(20, 30, 6), square(22, 34, 9), BACKGROUND))
    coords, owners = torch.tensor([[22.5, 32.5], [25.5, 38.5]]), torch.tensor([0, 0, -1])
    refined = refine(logits, owners, coords)
    assert refined.shape == (2, UPSCALE * HEIGHT, UPSCALE * WIDTH)
    swapped = refine(logits[[1, 0, 2]], owners, coords[[1, 0]])
    assert torch.allclose(refined, swapped, atol=1e-5)


@torch.inference_mode()
def test_a_click_changes_the_answer_near_it_alone() -> None:
    logits = torch.stack((square(20, 10, 40), square(20, 10, 40), BACKGROUND))
    owners = torch.tensor([0, -1, -1])
    logits[1] = -9
    near, far = ([[40.5, 20.5], [25.5, x]] for x in (15.5, 45.5))
    answers = [refine(logits, owners, torch.tensor(coords)) for coords in (near, far)]
    differs = (answers[0] - answers[1]).abs().amax(0) > 0.01
    assert differs[upscaled(20, 30), upscaled(12, 18)].any()
    assert differs[upscaled(20, 30), upscaled(42, 48)].any()
    assert not differs[upscaled(55, HEIGHT), upscaled(25, 35)].any()


@torch.inference_mode()
def test_far_from_an_object_its_box_has_no_say() -> None:
    # The box ends beyond the reach of the convolutions: a wider box gives the same.
    reach = sum(DILATIONS)
    logits = torch.stack((square(25, 35, 5), BACKGROUND))
    owners, coords = torch.tensor([0, -1]), torch.tensor([[27.5, 37.5]])
    small = refine(logits, owners, coords)
    wide = logits.clone()
    wide[0, 0, 0] = wide[0, -1, -1] = 0.1  # stretches the box over the whole map
    large = refine(wide, owners, coords)
    inside = (
        upscaled(25 - BOX_MARGIN + reach, 30 + BOX_MARGIN - reach),
        upscaled(35 - BOX_MARGIN + reach, 40 + BOX_MARGIN - reach),
    )
    assert torch.allclose(small[0][inside], large[0][inside], atol=1e-4)


@torch.inference_mode()
def test_it_sees_where_in_a_cell_an_edge_is() -> None:
    # Pixels (y, x) of one 4 × 4 cell: each must change its features in another way.
    network, features = reupscaled(), torch.zeros(1, FEATURES, HEIGHT, WIDTH)
    seen = []
    for y, x in ((81, 121), (81, 123), (83, 121), (83, 123)):
        image = torch.zeros(1, 3, 4 * HEIGHT, 4 * WIDTH)
        image[..., y, x] = 9
        change = network.detail(image, features) - network.detail(image * 0, features)
        rows, columns = change[0].abs().amax(0).nonzero().unbind(1)
        assert (rows - 20).abs().max() <= 2
        assert (columns - 30).abs().max() <= 2
        seen.append(change)
    assert all((one - other).abs().max() > 0.1 for one, other in itertools.combinations(seen, 2))


@torch.inference_mode()
def test_of_four_values_of_a_cell_each_has_its_quarter() -> None:
    network = reupscaled()
    torch.nn.init.zeros_(network.change.weight)
    network.change.bias.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    logits, owners = torch.stack((square(20, 30, 6), BACKGROUND)), torch.tensor([0, -1])
    found = network(detail(network), logits, owners, torch.tensor([[22.5, 32.5]]))
    change = (found - unrefined(logits, owners))[0, upscaled(22, 23), upscaled(32, 33)]
    assert change.round(decimals=4).tolist() == [[1, 2], [3, 4]]


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
    owned = sorted(
        [*first, *((min(o, objects - 1), y, x) for o, y, x in clicks)],
        key=lambda click: (click[0] < 0, click[0]),
    )
    owners = torch.tensor([owner for owner, _, _ in owned] + [-1])
    coords = torch.tensor([[y, x] for _, y, x in owned])
    logits = torch.randn(
        len(owners), HEIGHT, WIDTH, generator=torch.Generator().manual_seed(len(owned))
    )
    refined = refine(logits, owners, coords)
    assert refined.shape == (objects + 1, UPSCALE * HEIGHT, UPSCALE * WIDTH)
    assert refined.isfinite().all()


@torch.inference_mode()
@pytest.mark.parametrize("other", [-1, 1])
def test_a_click_for_an_object_and_one_against_it_differ(other: int) -> None:
    logits = torch.stack((square(20, 30, 6), square(20, 40, 6), BACKGROUND))
    coords = torch.tensor([[22.5, 32.5], [22.5, 42.5], [30.5, 32.5]])
    mine = refine(
        torch.cat((logits[:1] * 0 - 9, logits)),
        torch.tensor([0, 0, 1, -1]),
        coords[[2, 0, 1]],
    )[0]
    against = refine(
        torch.cat((logits, logits[:1] * 0 - 9)),
        torch.tensor([0, 1, other, -1]),
        coords,
    )[0]
    assert (mine - against)[upscaled(28, 33), upscaled(30, 35)].abs().max() > 0.01


@torch.inference_mode()
def test_it_sees_the_mask_and_not_only_its_box() -> None:
    owners, coords = torch.tensor([0, -1]), torch.tensor([[22.5, 32.5]])
    full, hollow = square(20, 30, 9), square(20, 30, 9)
    hollow[24:27, 34:37] = -4
    changes = [change(torch.stack((one, BACKGROUND)), owners, coords)[0] for one in (full, hollow)]
    assert (changes[0] - changes[1])[upscaled(24, 27), upscaled(34, 37)].abs().max() > 1e-4


@pytest.fixture(scope="module")
def refined() -> DynaMITE:
    """``lite`` with random weights and a refiner that changes something."""
    model = load("lite", random_weights=True)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(1)
        model.refiner.change.weight.normal_()
    return model


CLICKS = ClickSet([[Click(40, 40, 0), Click(90, 60, 2)], [Click(150, 80, 1)]], [Click(10, 100, 3)])


def maps_of(
    model: DynaMITE, clicks: list[ClickSet], images: list[np.ndarray]
) -> list[torch.Tensor]:
    """The refined maps of each image, from one pass."""
    maps = join_batch([one.maps for one in Predictor(model, resize=None).encode(images)])
    packed = PackedClicks.pack(clicks)
    with torch.inference_mode():
        refined = model.interact(maps, packed).refined
    assert refined is not None
    return list(refined)


def test_each_image_of_a_batch_is_refined_by_its_own_features_and_clicks(refined: DynaMITE) -> None:
    images = [make_image(128, 192), make_image(128, 192)[::-1].copy()]
    other = ClickSet([[Click(100, 30, 0)]])
    together = maps_of(refined, [CLICKS, CLICKS], images)
    for image, maps in zip(images, together, strict=True):
        (alone,) = maps_of(refined, [CLICKS], [image])
        assert torch.allclose(alone, maps, atol=1e-3)
    # Beside an image with more clicks it gets padding queries, but no more objects.
    mixed = maps_of(refined, [CLICKS, other], images)
    assert [len(maps) for maps in mixed] == [3, 2]
    assert mixed[1].isfinite().all()


def test_coords_are_told_in_cells(refined: DynaMITE) -> None:
    maps = Predictor(refined, resize=None).encode(make_image(128, 192)).maps
    seen: list[torch.Tensor] = []
    hook = refined.refiner.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[3]))
    with torch.inference_mode():
        refined.interact(maps, PackedClicks.pack([ClickSet([[Click(148, 60, 0)]])]))
    hook.remove()
    assert [coords.tolist() for coords in seen] == [[[15, 37]]]


def test_spots_fall_off_around_the_clicks_of_each_object() -> None:
    coords = torch.tensor([[3.5, 5.5], [3.5, 9.5], [7.5, 1.5]])
    narrow = _click_spots(coords, [2, 1], 10, 12)[:, 0]
    assert narrow[0].max() == narrow[0, 3, 5] == narrow[0, 3, 9] == 1
    assert narrow[1].max() == narrow[1, 7, 1] == 1
    assert narrow[0, 3, 8].item() == pytest.approx(np.exp(-0.5 / 1.5**2))
    assert not narrow[2].any()  # no click on the background


def test_features_keep_the_refiners_part_on_disk(refined: DynaMITE, tmp_path: Path) -> None:
    predictor = Predictor(refined, resize=None)
    features = predictor.encode(make_image(128, 192))
    features.save(tmp_path / "kept")
    kept = ImageFeatures.load(tmp_path / "kept").maps.detail
    assert features.maps.detail is not None
    assert kept is not None
    assert torch.equal(kept, features.maps.detail)


def test_features_without_the_refiners_part_are_refused(refined: DynaMITE) -> None:
    plain = load("lite", random_weights=True, refiner_channels=0)
    maps = Predictor(plain, resize=None).encode(make_image(128, 192)).maps
    refused = pytest.raises(InvalidInputError, match="encode the image again")
    with refused, torch.inference_mode():
        refined.interact(maps, PackedClicks.pack([CLICKS]))


def test_refining_is_in_float32_under_mixed_precision(refined: DynaMITE) -> None:
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        maps = refined.encode(torch.rand(1, 3, 64, 96))
        prediction = refined.interact(maps, PackedClicks.pack([ClickSet([[Click(40, 40, 0)]])]))
    assert maps.detail is not None
    assert prediction.refined is not None
    assert maps.detail.dtype == prediction.refined[0].dtype == torch.float32


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), objects=st.integers(1, 6))
@torch.inference_mode()
def test_looked_at_together_each_is_answered_as_alone(seed: int, objects: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, (HEIGHT - 12, WIDTH - 12), (objects, 2)).tolist()
    sides = rng.integers(1, 12, objects).tolist()
    squares = [square(*corner, side) for corner, side in zip(corners, sides, strict=True)]
    logits = torch.stack([*squares, BACKGROUND])
    coords = torch.tensor(corners) + torch.tensor(sides)[:, None] / 2
    owners = torch.tensor([*range(objects), -1])
    together = refine(logits, owners, coords)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dynamite.network.refiner_boxes.PASS_OVERHEAD", -(10**9))
        apart = refine(logits, owners, coords)
    assert torch.allclose(together, apart, atol=1e-4)
