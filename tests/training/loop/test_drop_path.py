import torch
from torch import nn

from dynamite.network._compat import import_timm
from training.loop.drop_path import SampleDropPath, draw_by_sample


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_a_sample_skips_the_same_blocks_in_any_batch() -> None:
    path = SampleDropPath(0.5).train()
    path.generators = generators(*range(16))
    whole = [path(torch.ones(16, 2, 3)) for _ in range(4)]
    path.generators = generators(*range(8, 16))
    part = [path(torch.ones(8, 2, 3)) for _ in range(4)]
    for one, other in zip(whole, part, strict=True):
        assert torch.equal(one[8:], other)
        assert set(one.unique().tolist()) == {0, 2}, "what is kept makes up for the rest"
        assert torch.equal(one.amin((1, 2)), one.amax((1, 2))), "a sample as a whole"
    assert not torch.equal(whole[0], whole[1])


def test_nothing_is_skipped_in_use() -> None:
    assert SampleDropPath(0.5).eval()(torch.ones(2, 2)).all()


def test_every_drop_path_of_timm_is_replaced() -> None:
    theirs = import_timm().layers.DropPath
    model = nn.Sequential(nn.Sequential(theirs(0.25)), theirs(0.0), nn.Linear(2, 2))
    names = list(model.state_dict())
    (path,) = draw_by_sample(model)
    assert path is model[0][0]
    assert path.rate == 0.25
    assert list(model.state_dict()) == names


def test_a_model_that_has_ours_already_keeps_them() -> None:
    model = nn.Sequential(import_timm().layers.DropPath(0.25))
    first = draw_by_sample(model)
    again = draw_by_sample(model)
    assert [id(path) for path in again] == [id(path) for path in first] == [id(model[0])]
