import torch

from dynamite.prediction_head import _SPREAD, PredictionHead, append_coordinates


def test_masks_fall_off_with_the_distance_to_their_click_as_written_down() -> None:
    """a·|p − c|² + b·(p − c), a and b from the query, p and c in image sides times the spread."""
    generator = torch.Generator().manual_seed(0)
    head = PredictionHead(8, relative_positions=True)
    with torch.no_grad():
        head.falloff.weight.normal_(generator=generator)
        head.falloff.bias.normal_(generator=generator)
    content, centre = (torch.rand(2, 3, size, generator=generator) for size in (8, 2))
    height, width = 5, 7
    features = append_coordinates(torch.zeros(2, 8, height, width))
    embedding = head(content, head.falloff_coefficients(centre))
    found = torch.einsum("bqc,bchw->bqhw", embedding, features)

    fall, slope_y, slope_x = head.falloff(head.norm(content))[..., None, None].unbind(2)
    y = ((torch.arange(height) + 0.5) / height)[:, None] - centre[..., 0, None, None]
    x = ((torch.arange(width) + 0.5) / width)[None] - centre[..., 1, None, None]
    y, x = _SPREAD * y, _SPREAD * x
    wanted = -fall * (y.square() + x.square()) + slope_y * y + slope_x * x
    assert torch.allclose(found, wanted, atol=1e-4)


def test_without_distances_there_is_nothing_to_add() -> None:
    head = PredictionHead(8, relative_positions=False)
    assert head.falloff_coefficients(torch.rand(1, 2, 2)) is None
    assert head(torch.rand(1, 2, 8), None).shape == (1, 2, 8)
