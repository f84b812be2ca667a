"""The backbones give the published maps: compared with golden values and other implementations."""

import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dynamite.checkpoints.published import published_name
from dynamite.errors import InvalidInputError
from dynamite.network._compat import import_timm
from dynamite.network.backbones.base import Backbone
from dynamite.network.backbones.build import build_backbone
from dynamite.network.backbones.specs import BACKBONES, SwinSpec
from dynamite.network.backbones.swin import SwinTransformer
from dynamite.network.config import IMAGENET_MEAN, IMAGENET_STD
from tests.dynamite.golden import (
    golden_file,
    golden_image,
    golden_state_dict,
    golden_tensor,
    make_image,
)

HRNET_RECORDED = [1.541034, 2.230258, 1.656189, 1.147947]
"""Mean absolute values of the four maps of image B."""

SMALL = tuple(name for name in BACKBONES if name != "swin_large")


def golden_backbone(name: str) -> Backbone:
    backbone = build_backbone(name).eval()
    weights = {
        key: golden_tensor(published_name(f"backbone.{key}", name), list(value.shape))
        if value.is_floating_point()
        else value
        for key, value in backbone.state_dict().items()
    }
    backbone.load_state_dict(weights)
    return backbone


def as_input(image: np.ndarray) -> Tensor:
    """Normalize and pad as the network does: 1×3×H×W."""
    normal = (image - np.float32(IMAGENET_MEAN)) / np.float32(IMAGENET_STD)
    tensor = torch.from_numpy(normal.astype(np.float32)).permute(2, 0, 1)
    height, width = image.shape[:2]
    return functional.pad(tensor, (0, -width % 32, 0, -height % 32))[None]


def stats(map_1Chw: Tensor) -> np.ndarray:
    """Mean, population standard deviation and mean absolute value of each channel."""
    m = map_1Chw[0].double().flatten(1)
    return torch.stack([m.mean(1), m.std(1, correction=0), m.abs().mean(1)]).numpy()


@pytest.mark.parametrize("name", ["swin_tiny", "resnet50"])
def test_maps_equal_the_published_ones(name: str) -> None:
    backbone = golden_backbone(name)
    for image in "AB":
        reference = golden_file(f"{name}_{image}_features")
        with torch.inference_mode():
            maps = backbone(as_input(golden_image(image)))
        for level, computed in enumerate(maps, start=2):
            expected = reference[f"backbone_res{level}"]
            np.testing.assert_allclose(computed[0, ::16], expected, atol=1e-5)
            expected = reference[f"backbone_res{level}_stats"]
            np.testing.assert_allclose(stats(computed), expected, atol=1e-5)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("size", [(32, 32), (64, 96)])
def test_strides_and_channels(name: str, size: tuple[int, int]) -> None:
    with torch.device("meta"):
        backbone = build_backbone(name).eval()
    maps = backbone(torch.empty(2, 3, *size, device="meta"))
    assert [tuple(level.shape) for level in maps] == [
        (2, channels, size[0] // stride, size[1] // stride)
        for channels, stride in zip(backbone.channels, (4, 8, 16, 32), strict=True)
    ]


@pytest.mark.parametrize("name", SMALL)
def test_bfloat16_is_close(name: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(2)  # the error depends on the weights, 3 to 5 %
        backbone = build_backbone(name).eval() if "efficientnet" in name else golden_backbone(name)
    image = as_input(make_image(96, 128))
    with torch.inference_mode():
        exact = backbone(image)
        rough = backbone.bfloat16()(image.bfloat16())
    for expected, computed in zip(exact, rough, strict=True):
        assert computed.dtype == torch.bfloat16
        error = (computed.float() - expected).square().mean().sqrt() / expected.std()
        assert error < 0.1


@pytest.mark.parametrize("name", BACKBONES)
def test_early_parameters_are_among_those_of_the_network(name: str) -> None:
    with torch.device("meta"):
        names = [f"backbone.{key}" for key, _ in build_backbone(name).named_parameters()]
    for prefix in BACKBONES[name].early_parameters:
        assert any(key.startswith(prefix) for key in names), prefix


def test_configs_are_checked_against_the_backbones_without_torch() -> None:
    code = "import sys, dynamite.network.config; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(InvalidInputError, match="'vgg16': choose one of swin_tiny, swin_large"):
        build_backbone("vgg16")


# --- batch norm ----------------------------------------------------------------------------------


def norm_state(backbone: Backbone) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in backbone.state_dict().items() if "running" in key}


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_norms_do_not_learn(frozen: bool) -> None:
    backbone = build_backbone("efficientnet_lite0", frozen_norm=frozen)
    before = norm_state(backbone)
    backbone.train()
    backbone(torch.randn(2, 3, 64, 64))
    unchanged = [torch.equal(before[key], value) for key, value in norm_state(backbone).items()]
    scales = [m.weight for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(unchanged) if frozen else not any(unchanged)
    assert all(scale.requires_grad is not frozen for scale in scales)


def test_resnet_is_the_same_in_training() -> None:
    backbone = golden_backbone("resnet50")
    image = as_input(make_image(64, 64))
    with torch.no_grad():
        still, training = backbone(image), backbone.train()(image)
    assert all(torch.equal(a, b) for a, b in zip(still, training, strict=True))
    assert {name.split(".")[-1] for name, _ in backbone.named_parameters()} == {"weight"}


# --- Swin ----------------------------------------------------------------------------------------


def make_reference_swin(spec: SwinSpec, size: tuple[int, int]) -> nn.Module:
    """timm's Swin Transformer, changed to pad before it rolls (docs/network.md, 3)."""
    timm = import_timm()
    swin: ModuleType = timm.models.swin_transformer

    class PadFirst(swin.SwinTransformerBlock):  # type: ignore[misc, name-defined]
        def _attn(self, x: Tensor) -> Tensor:
            (_, h, w, _), (size, _), (shift, _) = x.shape, self.window_size, self.shift_size
            x = functional.pad(x, (0, 0, 0, -w % size, 0, -h % size))
            if shift:
                x = x.roll((-shift, -shift), (1, 2))
            mask = self.get_attn_mask(x)
            windows = swin.window_partition(x, self.window_size).flatten(1, 2)
            windows = self.attn(windows, mask=mask).unflatten(1, self.window_size)
            x = swin.window_reverse(windows, self.window_size, *x.shape[1:3])
            if shift:
                x = x.roll((shift, shift), (1, 2))
            return x[:, :h, :w]

    model = swin.SwinTransformer(
        img_size=size,
        embed_dim=spec.width,
        depths=spec.depths,
        num_heads=spec.heads,
        window_size=spec.window,
        num_classes=0,
        strict_img_size=False,
        always_partition=True,
    )
    for module in model.modules():
        if isinstance(module, swin.SwinTransformerBlock):
            module.__class__ = PadFirst
    return model.eval()


def copy_into_reference(backbone: SwinTransformer, reference: nn.Module) -> None:
    def rename(key: str) -> str:
        if key.startswith("merges."):
            _, index, rest = key.split(".", 2)
            return f"layers.{int(index) + 1}.downsample.{rest}"
        if key.startswith("stages."):
            _, stage, block, rest = key.split(".", 3)
            return f"layers.{stage}.blocks.{block}.{rest}"
        return key

    weights = {
        rename(key): value
        for key, value in backbone.state_dict().items()
        if not key.startswith("norms.")
    }
    result = reference.load_state_dict(weights, strict=False)
    assert not result.unexpected_keys
    assert set(result.missing_keys) == {"norm.weight", "norm.bias"}


def random_swin(window: int) -> SwinTransformer:
    torch.manual_seed(window)
    spec = SwinSpec(width=24, depths=(2, 2, 4, 2), heads=(1, 2, 4, 8), window=window)
    backbone = SwinTransformer(spec, drop_path_rate=0.0)
    for parameter in backbone.parameters():
        nn.init.normal_(parameter, std=0.2)
    return backbone.eval()


@pytest.mark.parametrize("window", [7, 12])
@pytest.mark.parametrize("size", [(32, 32), (100, 204), (224, 224), (384, 192)])
def test_swin_pads_before_it_rolls(window: int, size: tuple[int, int]) -> None:
    backbone = random_swin(window)
    spec = SwinSpec(width=24, depths=(2, 2, 4, 2), heads=(1, 2, 4, 8), window=window)
    reference = make_reference_swin(spec, size)
    copy_into_reference(backbone, reference)
    images = torch.randn(2, 3, *size)

    maps = backbone(images)
    tokens = reference.patch_embed(images)
    for stage, norm, computed in zip(reference.layers, backbone.norms, maps, strict=True):
        tokens = stage(tokens)
        torch.testing.assert_close(computed, norm(tokens).permute(0, 3, 1, 2), atol=2e-5, rtol=1e-4)

    maps[-1].square().mean().backward()
    norm(tokens).square().mean().backward()
    gradients = {key: value.grad for key, value in backbone.named_parameters()}
    ours = gradients["stages.0.1.attn.qkv.weight"]
    theirs = reference.layers[0].blocks[1].attn.qkv.weight.grad
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-3)


def test_swin_pads_images_with_zeros() -> None:
    backbone = random_swin(7)
    images = torch.randn(1, 3, 61, 34)
    with torch.inference_mode():
        maps = backbone(images)
        padded = backbone(functional.pad(images, (0, 2, 0, 3)))
    assert all(torch.equal(a, b) for a, b in zip(maps, padded, strict=True))


def test_swin_skips_blocks_in_training_only() -> None:
    torch.manual_seed(0)
    backbone = build_backbone("swin_tiny", drop_path_rate=0.9)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        still = [backbone.eval()(images)[3] for _ in range(2)]
        training = [backbone.train()(images)[3] for _ in range(2)]
    assert torch.equal(*still)
    assert not torch.equal(*training)


# --- HRNet and MiT -------------------------------------------------------------------------------


def test_hrnet_gives_its_branches() -> None:
    """The maps are the inputs of the classifier's neck in timm's complete network."""
    backbone = golden_backbone("hrnet32")
    classifier = import_timm().create_model("hrnet_w32", pretrained=False).eval()
    result = classifier.load_state_dict(backbone.body.state_dict(), strict=False)
    assert not result.unexpected_keys
    necks = ("incre_modules", "downsamp_modules", "final_layer", "classifier")
    assert all(key.startswith(necks) for key in result.missing_keys)

    image = as_input(golden_image("B"))
    branches: list[Tensor] = []
    classifier.stage4.register_forward_hook(lambda _, __, output: branches.extend(output))
    with torch.inference_mode():
        classifier(image)
        maps = backbone(image)
    assert all(torch.equal(a, b) for a, b in zip(maps, branches, strict=True))
    # Recorded, to notice if another version of timm changes them.
    sizes = [level.abs().mean().item() for level in maps]
    np.testing.assert_allclose(sizes, HRNET_RECORDED, rtol=1e-4)


def test_segformer_equals_its_formulas() -> None:
    backbone = golden_backbone("segformer_b0")
    image = as_input(golden_image("B"))
    with torch.inference_mode():
        maps = backbone(image)
        expected = mix_transformer(golden_state_dict("segformer_b0", "backbone."), image)
    for computed, reference in zip(maps, expected, strict=True):
        torch.testing.assert_close(computed, reference, atol=1e-5, rtol=0)


def mix_transformer(weights: dict[str, Tensor], x: Tensor) -> list[Tensor]:
    """MiT-B0 written out, by published names (docs/network.md, 3)."""

    def part(name: str) -> Callable[[str], Tensor]:
        return lambda leaf: weights[f"backbone.{name}.{leaf}"]

    def norm(name: str, tokens: Tensor, eps: float) -> Tensor:
        p = part(name)
        return functional.layer_norm(tokens, tokens.shape[-1:], p("weight"), p("bias"), eps)

    def linear(name: str, tokens: Tensor) -> Tensor:
        return functional.linear(tokens, part(name)("weight"), part(name)("bias"))

    def conv(name: str, tokens: Tensor, size: tuple[int, int], **options: int) -> Tensor:
        image = tokens.transpose(1, 2).unflatten(2, size)
        p = part(name)
        return functional.conv2d(image, p("weight"), p("bias"), **options).flatten(2).mT

    def attend(
        name: str, tokens: Tensor, size: tuple[int, int], heads: int, reduction: int
    ) -> Tensor:
        source = tokens
        if reduction > 1:
            source = norm(f"{name}.norm", conv(f"{name}.sr", tokens, size, stride=reduction), 1e-5)
        q = linear(f"{name}.q", tokens).unflatten(-1, (heads, -1)).transpose(1, 2)
        k, v = linear(f"{name}.kv", source).unflatten(-1, (2, heads, -1)).permute(2, 0, 3, 1, 4)
        shares = (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1)
        return linear(f"{name}.proj", (shares @ v).transpose(1, 2).flatten(2))

    maps = []
    for stage, (heads, reduction) in enumerate(zip((1, 2, 5, 8), (8, 4, 2, 1), strict=True), 1):
        p = part(f"patch_embed{stage}.proj")
        kernel, stride = (7, 4) if stage == 1 else (3, 2)
        x = functional.conv2d(x, p("weight"), p("bias"), stride=stride, padding=kernel // 2)
        size = (x.shape[2], x.shape[3])
        x = norm(f"patch_embed{stage}.norm", x.flatten(2).mT, 1e-5)
        for index in range(2):
            block = f"block{stage}.{index}"
            normed = norm(f"{block}.norm1", x, 1e-6)
            x = x + attend(f"{block}.attn", normed, size, heads, reduction)
            wide = linear(f"{block}.mlp.fc1", norm(f"{block}.norm2", x, 1e-6))
            channels = wide.shape[-1]
            wide = conv(f"{block}.mlp.dwconv.dwconv", wide, size, padding=1, groups=channels)
            x = x + linear(f"{block}.mlp.fc2", functional.gelu(wide))
        x = norm(f"norm{stage}", x, 1e-6).mT.unflatten(2, size)
        maps.append(x)
    return maps
