"""The network: encode an image once, then answer clicks (paper, sections 3.1 to 3.3)."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from dynamite.errors import InvalidInputError
from dynamite.network.backbones.build import build_backbone
from dynamite.network.backbones.specs import BACKBONES
from dynamite.network.config import ModelConfig
from dynamite.network.instance_encoder import InstanceEncoder, Memory
from dynamite.network.mask_decoder import MaskDecoder
from dynamite.network.pixel_decoder import PixelDecoder, upsample
from dynamite.network.prediction import STRIDE, Decision, Prediction, decide
from dynamite.network.prediction_head import PredictionHead, append_coordinates
from dynamite.network.queries import PackedClicks, QueryBootstrapper
from dynamite.network.refiner import UPSCALE, Refiner

DIVISOR = 32
"""Inputs are padded to multiples of this (docs/network.md, 2)."""


@dataclass(frozen=True, slots=True)
class FeatureMaps:
    """Everything that depends on the images alone.

    Attributes:
        mask_features: (B, C, h, w) at stride 4. Four channels more, the coordinates, where masks
            depend on distances (``relative_positions``).
        levels: the pixel decoder's maps M32, M16 and M8 at strides 32, 16 and 8, each (B, C, h, w).
        pooled: the mask features resized to each of the levels.
        memory: keys and values of the instance encoder's layers.
        detail: (B, D, h, w) at stride 4, from the refiner; None without one.
        guide: (B, 2h, 2w), gray of the images in the cells of the refiner's maps, 0…1; None
            without a refiner.
    """

    mask_features: Tensor
    levels: tuple[Tensor, Tensor, Tensor]
    pooled: tuple[Tensor, Tensor, Tensor]
    memory: Memory
    detail: Tensor | None = None
    guide: Tensor | None = None

    @property
    def padded_size(self) -> tuple[int, int]:
        """(H, W) of the padded input, in pixels."""
        height, width = self.mask_features.shape[-2:]
        return height * STRIDE, width * STRIDE


class DynaMITE(nn.Module):
    """The network.

    Attributes:
        config: what it is made of.
        version: names its weights. ``Predictor`` refuses features of another version.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        drop_path_rate: float | None = None,
        frozen_norm: bool = False,
    ) -> None:
        super().__init__()
        self.config = config
        self.version = "untrained"
        self.backbone = build_backbone(
            config.backbone, drop_path_rate=drop_path_rate, frozen_norm=frozen_norm
        )
        self.pixel_decoder = PixelDecoder(
            self.backbone.channels,
            channels=config.hidden,
            heads=config.heads,
            layers=config.deformable_layers,
            feedforward=config.deformable_feedforward,
            stride8_fpn=BACKBONES[config.backbone].stride8_fpn,
        )
        self.bootstrapper = QueryBootstrapper(config)
        self.instance_encoder = InstanceEncoder(config)
        self.head = PredictionHead(config.hidden, relative_positions=config.relative_positions)
        if config.decoder_layers:
            self.mask_decoder = MaskDecoder(
                config.hidden, config.heads, config.decoder_layers, config.decoder_feedforward
            )
        if config.refiner_channels:
            self.refiner = Refiner(config.hidden, config.refiner_channels)

    def set_product_dtype(self, dtype: torch.dtype) -> "DynaMITE":
        """Compute the mask decoder's products, most of a click, in ``dtype``; return the network.

        Everything else stays in float32, features included: before the masked attention, a rounding
        error can send a whole query elsewhere in the image (docs/network.md, 9).
        """
        if self.config.decoder_layers:
            self.mask_decoder.set_product_dtype(dtype)
        return self

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.head.norm.weight.device

    def normalize(self, image_3HW: Tensor) -> Tensor:
        """Return an RGB image of values 0…255 as the backbone's input, float32 (3, H, W)."""
        mean, std = (
            torch.tensor(values, device=image_3HW.device).view(3, 1, 1)
            for values in (self.config.mean, self.config.std)
        )
        return (image_3HW.float() - mean) / std

    def encode(self, images_B3HW: Tensor) -> FeatureMaps:
        """Return the features of normalized images, padded to multiples of 32."""
        maps = self.backbone(images_B3HW)
        # float32 under mixed precision, too: rounding would move the sampled positions.
        with torch.autocast(images_B3HW.device.type, enabled=False):
            mask_features, levels = self.pixel_decoder(tuple(level.float() for level in maps))
            detail = guide = None
            if self.config.refiner_channels:
                detail = self.refiner.detail(images_B3HW.float(), mask_features)
                guide = self._gray(images_B3HW.float())
        if self.config.relative_positions:
            mask_features = append_coordinates(mask_features)
        m32, m16, m8 = (upsample(mask_features, level.shape[-2:]) for level in levels)
        memory = self.instance_encoder.memory(levels)
        return FeatureMaps(mask_features, levels, (m32, m16, m8), memory, detail, guide)

    def _gray(self, images_B3HW: Tensor) -> Tensor:
        """Return the mean of R, G and B in the cells of the refiner's maps, 0…1."""
        scale, shift = (
            torch.tensor(values, device=images_B3HW.device).view(3, 1, 1) / (3 * 255)
            for values in (self.config.std, self.config.mean)
        )
        gray_BHW = (images_B3HW * scale + shift).sum(1)
        return avg_pool2d(gray_BHW, STRIDE // UPSCALE)

    def interact(
        self, maps: FeatureMaps, clicks: PackedClicks, *, auxiliary: bool = False
    ) -> Prediction:
        """Return the prediction for all clicks. This is the whole cost of a click.

        Args:
            maps: from ``encode``.
            clicks: packed with ``extra=model.bootstrapper.extra`` padding queries.
            auxiliary: also predict before each encoder layer, for the loss.

        Raises:
            InvalidInputError: the features were made without the refiner this network has.
        """
        queries = self.bootstrapper(maps.levels, clicks, maps.padded_size)
        falloff = self.head.falloff_coefficients(queries.center_BQ2)
        embed = partial(self.head, coefficients_BQ34=falloff)

        def allowed(content_BQC: Tensor, level: int) -> Tensor:
            return self.attention_mask(embed(content_BQC), maps.pooled[level])

        contents = self.instance_encoder(queries, maps.memory, allowed)
        final = embed(contents[-1])
        logits_BQhw = self._decode(maps, contents[-1], queries.position_BQC, final)
        return Prediction(
            logits_BQhw=logits_BQhw,
            refined=self._refine(maps, logits_BQhw, queries.owners_BQ, clicks)
            if self.config.refiner_channels
            else None,
            auxiliary=tuple(
                _logits(embed(content), maps.mask_features) for content in contents[:-1]
            )
            if auxiliary
            else (),
            owners_BQ=queries.owners_BQ,
        )

    def decide(self, prediction: Prediction, clicks: PackedClicks) -> list[Decision]:
        """Return the maps that decide who owns a pixel, for each image.

        Clicks are enforced if the config says so.
        """
        return decide(prediction, clicks, enforce=self.config.enforce_clicks)

    def _refine(
        self, maps: FeatureMaps, logits_BQhw: Tensor, owners_BQ: Tensor, clicks: PackedClicks
    ) -> tuple[Tensor, ...]:
        if maps.detail is None:
            raise InvalidInputError(
                "the features lack the refiner's detail: encode the image again"
            )
        # float32 under mixed precision, too: small changes matter where two large logits meet.
        with torch.autocast(logits_BQhw.device.type, enabled=False):
            coords = clicks.coords_per_image()
            images = zip(maps.detail, logits_BQhw.float(), owners_BQ, coords, strict=True)
            return tuple(
                self.refiner(detail, logits, owners, coords_K2 / STRIDE)
                for detail, logits, owners, coords_K2 in images
            )

    @staticmethod
    def attention_mask(embedding_BQC: Tensor, pooled_BChw: Tensor) -> Tensor:
        """Return where each query may attend: inside its own mask, or anywhere if that is empty.

        Resizing is linear, so logits of resized features are resized logits.

        Args:
            embedding_BQC: mask embeddings.
            pooled_BChw: mask features at the size of a level.

        Returns:
            Boolean (B, Q, T), T = h·w.
        """
        with torch.no_grad():
            inside = _logits(embedding_BQC, pooled_BChw).flatten(2) >= 0
            return inside | ~inside.any(dim=-1, keepdim=True)

    def _decode(
        self, maps: FeatureMaps, content: Tensor, position: Tensor, embedding: Tensor
    ) -> Tensor:
        if not self.config.decoder_layers:
            return _logits(embedding, maps.mask_features)
        channels = self.config.hidden
        plain = embedding[..., :channels]
        if self.config.decoder_stride == STRIDE:
            features = maps.mask_features[:, :channels]
            decoded = self.mask_decoder(features, content, position, plain)
            if self.config.relative_positions:
                decoded = decoded + _logits(
                    embedding[..., channels:], maps.mask_features[:, channels:]
                )
            return decoded  # type: ignore[no-any-return]
        features = maps.pooled[2][:, :channels]
        decoded = self.mask_decoder(features, content, position, plain)
        change = decoded - _logits(plain, features)
        return _logits(embedding, maps.mask_features) + interpolate(
            change, scale_factor=2.0, mode="bilinear", align_corners=False
        )


def _logits(embedding_BQC: Tensor, features_BChw: Tensor) -> Tensor:
    """Return inner products (B, Q, h, w).

    In float32 under mixed precision, too: with distances in them, large terms cancel.
    """
    with torch.autocast(embedding_BQC.device.type, enabled=False):
        embedding_BQC = embedding_BQC.to(features_BChw.dtype)
        products = torch.bmm(embedding_BQC, features_BChw.flatten(2))
    return products.view(*products.shape[:2], *features_BChw.shape[-2:])
