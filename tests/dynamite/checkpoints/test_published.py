"""Published checkpoints fit entry by entry, or the error lists which do not."""

import pytest
import torch
from torch import Tensor

from dynamite.checkpoints.published import convert_state_dict, published_name
from dynamite.errors import CheckpointError
from dynamite.network.config import preset
from dynamite.network.model import DynaMITE
from tests.dynamite.golden import CONFIG_NAMES, OVERRIDES, golden_entries, golden_preset


def build_empty(config_name: str) -> DynaMITE:
    """The network of a published configuration, without memory for its weights."""
    config = preset(golden_preset(config_name)).with_overrides(OVERRIDES.get(config_name, {}))
    with torch.device("meta"):
        return DynaMITE(config)


def empty_published(config_name: str) -> dict[str, Tensor]:
    return {
        key: torch.empty(shape, dtype=getattr(torch, dtype), device="meta")
        for key, shape, dtype, _ in golden_entries(config_name)
    }


@pytest.mark.parametrize("config_name", CONFIG_NAMES)
def test_every_published_entry_has_its_place(config_name: str) -> None:
    model = build_empty(config_name)
    published = empty_published(config_name)
    converted = convert_state_dict(published, model)
    assert {name: value.shape for name, value in converted.items()} == {
        name: value.shape for name, value in model.state_dict().items()
    }
    used = {id(value) for value in converted.values()}
    unused = [name for name, value in published.items() if id(value) not in used]
    assert all(name.endswith("relative_position_index") for name in unused)
    assert len(used) == len(converted)


@pytest.mark.parametrize("config_name", CONFIG_NAMES)
def test_the_same_parameters_are_trained(config_name: str) -> None:
    model = build_empty(config_name)
    backbone = model.config.backbone
    ours = {
        published_name(name, backbone) for name, p in model.named_parameters() if p.requires_grad
    }
    theirs = {key for key, _, _, trainable in golden_entries(config_name) if trainable}
    assert ours == theirs


def test_problems_are_listed_by_published_name() -> None:
    model = build_empty("swin_tiny")
    published = empty_published("swin_tiny")
    del published["backbone.layers.1.downsample.reduction.weight"]
    published["criterion.empty_weight"] = torch.ones(2)
    published["backbone.norm2.bias"] = torch.ones(7)
    published["backbone.norm2.weight"] = torch.full((384,), torch.nan)
    with pytest.raises(CheckpointError) as error:
        convert_state_dict(published, model)
    message = str(error.value)
    assert "1 missing:\n  backbone.layers.1.downsample.reduction.weight 384×768" in message
    assert "1 extra:\n  criterion.empty_weight 2" in message
    assert "1 misshaped:\n  backbone.norm2.bias is 7 where 384 is needed" in message
    assert "1 not finite:\n  backbone.norm2.weight" in message


def test_the_tables_of_relative_positions_are_listed_as_all_others() -> None:
    """They follow from the window size, but a file without them is not a published one."""
    model = build_empty("swin_tiny")
    published = empty_published("swin_tiny")
    table = "backbone.layers.{}.blocks.{}.attn.relative_position_index"
    del published[table.format(0, 0)]
    published[table.format(2, 5)] = torch.zeros(3, dtype=torch.long)
    published[table.format(2, 6)] = torch.zeros(49, 49, dtype=torch.long)
    with pytest.raises(CheckpointError) as error:
        convert_state_dict(published, model)
    message = str(error.value)
    assert f"1 missing:\n  {table.format(0, 0)} 49×49" in message
    assert f"1 extra:\n  {table.format(2, 6)} 49×49" in message
    assert f"1 misshaped:\n  {table.format(2, 5)} is 3 where 49×49 is needed" in message


@pytest.mark.parametrize("dtype", ["int64", "bool", "complex64", "float8_e5m2"])
def test_what_is_no_float_is_no_weight(dtype: str) -> None:
    published = empty_published("resnet50")
    name = "backbone.stem.conv1.weight"
    published[name] = published[name].to(getattr(torch, dtype))
    with pytest.raises(
        CheckpointError, match=f"1 not floats:\n  {name} is {dtype} where float32 is needed"
    ):
        convert_state_dict(published, build_empty("resnet50"))


def test_a_long_list_of_problems_is_cut() -> None:
    with pytest.raises(CheckpointError, match="… and 701 more") as error:
        convert_state_dict({}, build_empty("swin_large"))
    assert len(str(error.value).splitlines()) < 30


def test_batch_counters_may_be_missing() -> None:
    model = build_empty("hrnet32")
    published = {
        key: value
        for key, value in empty_published("hrnet32").items()
        if not key.endswith("num_batches_tracked")
    }
    converted = convert_state_dict(published, model)
    assert converted.keys() == model.state_dict().keys()
    assert len({id(value) for value in converted.values()}) == len(converted), "none is shared"
