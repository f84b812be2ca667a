import json

import pytest

from dynamite.errors import InvalidInputError
from dynamite.network.config import (
    LITE,
    PAPER_RESIZE,
    PRESETS,
    PUBLISHED,
    ModelConfig,
    Resize,
    preset,
)


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


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        *(
            ({name: value}, f"{name}={value!r} must be")
            for name in ("decoder_layers", "encoder_layers", "static_background_queries", "heads")
            for value in (-1, None, 1.5, "2", True)
        ),
        *(
            ({name: 0}, f"{name}=0 must be at least 1")
            for name in ("hidden", "heads", "deformable_feedforward", "encoder_feedforward")
        ),
        ({"hidden": 48, "heads": 1}, "hidden=48 must be a multiple of 32"),
        ({"decoder_stride": 16}, r"decoder_stride=16 is not one of \(4, 8\)"),
        ({"click_encoding": ["none"]}, "click_encoding"),
        ({"click_type_embedding": "yes"}, "click_type_embedding='yes' must be of type bool"),
        ({"enforce_clicks": 1}, "enforce_clicks=1 must be of type bool"),
        ({"name": None}, "name=None must be of type str"),
        ({"mean": (1, 2)}, r"mean=\(1, 2\) must be three numbers"),
        ({"mean": 5}, "mean=5 must be three numbers"),
        ({"std": ("1", "1", "1")}, "std=.* must be three numbers"),
        ({"std": (1, 1, float("nan"))}, "std=.* must be three numbers"),
        ({"std": (0.0, 1.0, 1.0)}, "std=.* must be above 0"),
        ({"resize": (480, 640)}, r"resize=\(480, 640\) must be Resize\(shortest=…, longest=…\)"),
        ({"resize": None}, "resize=None must be Resize"),
        ({"resize": {"shortest": 64}}, "must hold shortest and longest"),
        ({"resize": {"shortest": 0, "longest": 64}}, r"Resize\(shortest=0, .* 1 to 32768"),
        ({"resize": {"shortest": 64, "longest": 10**30}}, "longest=10.* 1 to 32768"),
        ({"hidden": 96 * 10**17}, "hidden=96.* must be at most 32768"),
        ({"encoder_layers": 101}, "encoder_layers=101 must be at most 100"),
        ({"name": "a\nb"}, r"name='a\\nb' must have 1 to 60 letters"),
        ({"name": "../x"}, r"name='\.\./x' must have 1 to 60 letters"),
        ({"name": "x" * 61}, "name='x+' must have 1 to 60 letters"),
        ({"resize": {"shortest": 64, "longest": 6.5}}, "longest=6.5.* of whole pixels"),
    ],
)
def test_unfit_values_are_named(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        LITE.with_overrides(overrides)


def test_overrides_may_come_from_a_file() -> None:
    stored = {"resize": {"shortest": 64, "longest": 96}, "mean": [1, 2, 3], "std": [4.0, 5.0, 6.0]}
    config = LITE.with_overrides(stored)
    assert config.resize == Resize(64, 96)
    assert (config.mean, config.std) == ((1, 2, 3), (4.0, 5.0, 6.0))


def test_published_presets_have_the_published_input_size() -> None:
    assert {preset(name).resize for name in PUBLISHED} == {PAPER_RESIZE}


def test_a_field_that_is_no_more_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="zoom_in"):
        ModelConfig.from_json(LITE.to_json() | {"zoom_in": False})


def test_published_presets_have_none_of_our_additions() -> None:
    plain = {
        "click_type_embedding": False,
        "object_attention": False,
        "relative_positions": False,
        "decoder_stride": 4,
        "refiner_channels": 0,
        "enforce_clicks": False,
        "drop_unclicked_components": False,
        "target_crops": False,
    }
    for name in PUBLISHED:
        config = preset(name)
        assert {field: getattr(config, field) for field in plain} == plain
    assert all(getattr(LITE, field) != plain[field] for field in plain)


def test_the_shorter_edge_is_met_unless_the_longer_one_would_pass_its_limit() -> None:
    resize = Resize(shortest=800, longest=1333)
    assert resize.scale(400, 500) == 2
    assert resize.scale(400, 4000) == pytest.approx(1333 / 4000)
