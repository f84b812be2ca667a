import numpy as np
import torch

from dynamite import Click, ClickSet, Predictor, load
from dynamite.network.prediction_head import _COORDINATE_SCALE, PredictionHead, append_coordinates
from dynamite.network.queries import PackedClicks
from tests.dynamite.golden import make_image


def test_masks_fall_off_with_the_distance_to_their_click_as_written_down() -> None:
    """a·|p − c|² + b·(p − c): a and b from the query, p and c in scaled image sides."""
    generator = torch.Generator().manual_seed(0)
    head = PredictionHead(8, relative_positions=True)
    with torch.no_grad():
        head.falloff.weight.normal_(generator=generator)
        head.falloff.bias.normal_(generator=generator)
    content, center = (torch.rand(2, 3, size, generator=generator) for size in (8, 2))
    height, width = 5, 7
    features = append_coordinates(torch.zeros(2, 8, height, width))
    embedding = head(content, head.falloff_coefficients(center))
    found = torch.einsum("bqc,bchw->bqhw", embedding, features)

    fall, slope_y, slope_x = head.falloff(head.norm(content))[..., None, None].unbind(2)
    y = ((torch.arange(height) + 0.5) / height)[:, None] - center[..., 0, None, None]
    x = ((torch.arange(width) + 0.5) / width)[None] - center[..., 1, None, None]
    y, x = _COORDINATE_SCALE * y, _COORDINATE_SCALE * x
    wanted = -fall * (y.square() + x.square()) + slope_y * y + slope_x * x
    assert torch.allclose(found, wanted, atol=1e-4)


def test_without_distances_there_is_nothing_to_add() -> None:
    head = PredictionHead(8, relative_positions=False)
    assert head.falloff_coefficients(torch.rand(1, 2, 2)) is None
    assert head(torch.rand(1, 2, 8), None).shape == (1, 2, 8)


def test_mixed_precision_keeps_the_digits_of_distances_to_clicks() -> None:
    """The median of several draws: single ones are worse where masked attention flips."""
    lite = load("lite")
    features = Predictor(lite, resize=None).encode(make_image(256, 320))
    rng, errors = np.random.default_rng(0), []
    for _ in range(9):
        coords = rng.uniform((0, 0), (320, 256), (5, 2)).tolist()
        clicks = [Click(x, y, time) for time, (x, y) in enumerate(coords)]
        packed = PackedClicks.pack([ClickSet([[one] for one in clicks[:4]], clicks[4:])])
        with torch.inference_mode():
            exact = lite.interact(features.maps, packed).logits_BQhw
            with torch.autocast("cpu", torch.bfloat16):
                mixed = lite.interact(features.maps, packed).logits_BQhw
        errors.append(float((exact - mixed)[0, :5].abs().mean()))
    assert np.median(errors) < 0.04
