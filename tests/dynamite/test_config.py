import json

import pytest

from dynamite.config import LITE, PRESETS, ModelConfig, Resize, preset
from dynamite.errors import InvalidInputError


@pytest.mark.parametrize("name", PRESETS)
def test_a_config_survives_json(name: str) -> None:
    config = preset(name)
    assert ModelConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_an_unknown_preset_lists_those_there_are() -> None:
    with pytest.raises(InvalidInputError, match=r"swin_huge.*swin_tiny.*lite"):
        preset("swin_huge")


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(InvalidInputError, match="decoder_layer"):
        LITE.with_overrides({"decoder_layer": 3})


@pytest.mark.parametrize(
    "overrides", [{"click_encoding": "both"}, {"backbone": "vgg"}, {"hidden": 100, "heads": 8}]
)
def test_values_that_fit_no_network_are_refused(overrides: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(overrides))):
        LITE.with_overrides(overrides)


def test_published_presets_have_none_of_our_additions() -> None:
    for name in set(PRESETS) - {"lite"}:
        config = preset(name)
        assert not (config.click_type_embedding or config.object_attention or config.zoom_in)
        assert not config.relative_positions
        assert config.decoder_stride == 4


def test_the_shorter_edge_is_met_unless_the_longer_one_would_pass_its_limit() -> None:
    resize = Resize(shortest=800, longest=1333)
    assert resize.scale(400, 500) == 2
    assert resize.scale(400, 4000) == pytest.approx(1333 / 4000)
