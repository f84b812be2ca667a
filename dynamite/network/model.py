"""The network: encode an image once, then answer clicks (paper sections 3.1 to 3.3)."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from dynamite.errors import InvalidInputError
from dynamite.network.backbones import build_backbone
from dynamite.network.config import ModelConfig
from dynamite.network.instance_encoder import InstanceEncoder, Memory
from dynamite.network.mask_decoder import MaskDecoder
from dynamite.network.pixel_decoder import PixelDecoder, upsample
from dynamite.network.prediction import STRIDE, Decision, Prediction, decide
from dynamite.network.prediction_head import PredictionHead, append_coordinates
from dynamite.network.queries import PackedClicks, QueryBootstrapper
from dynamite.network.refiner import Refiner

DIVISOR = 32
"""Inputs are padded to multiples of this (MODEL_SPEC 2)."""


@dataclass(frozen=True, slots=True)
class FeatureMaps:
    """All that depends on the images alone.

    ``mask_features`` (B, C, h_4, w_4); ``levels`` are M32, M16, M8 (B, C, h, w); ``pooled`` are
    the mask features at the sizes of the levels; ``memory`` the instance encoder's keys and values;
    ``detail`` (B, D, h_4, w_4) is the refiner's, if there is one. Where masks depend on distances,
    mask features carry 4 more channels.
    """

    mask_features: Tensor
    levels: tuple[Tensor, Tensor, Tensor]
    pooled: tuple[Tensor, Tensor, Tensor]
    memory: Memory
    detail: Tensor | None = None

    @property
    def padded_size(self) -> tuple[int, int]:
        """(H, W) of the padded input."""
        height, width = self.mask_features.shape[-2:]
        return height * STRIDE, width * STRIDE


class DynaMITE(nn.Module):
    """The network. ``version`` names its weights: features of another version are refused."""

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
            stride8_fpn=config.backbone == "hrnet32",
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

    def multiply_in(self, dtype: torch.dtype) -> "DynaMITE":
        """Make the products of the mask decoder, most of a click, in ``dtype``.

        Everything else stays in float32, the features too: a rounding error before the masked
        attention can turn a whole query to another place.
        """
        if self.config.decoder_layers:
            self.mask_decoder.multiply_in(dtype)
        return self

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.head.norm.weight.device

    def normalize(self, image_3HW: Tensor) -> Tensor:
        """An image of values 0…255, RGB, as the backbone wants it, float32 (MODEL_SPEC 2)."""
        mean, std = (
            torch.tensor(values, device=image_3HW.device).view(3, 1, 1)
            for values in (self.config.mean, self.config.std)
        )
        return (image_3HW.float() - mean) / std

    def encode(self, images_B3HW: Tensor) -> FeatureMaps:
        """Features of normalised images, padded to multiples of 32 (MODEL_SPEC 3 and 4)."""
        maps = self.backbone(images_B3HW)
        # Rounding would move where it samples (MODEL_SPEC 4.2): float32 under mixed precision too.
        with torch.autocast(images_B3HW.device.type, enabled=False):
            mask_features, levels = self.pixel_decoder(tuple(level.float() for level in maps))
            detail = (
                self.refiner.detail(images_B3HW.float(), mask_features)
                if self.config.refiner_channels
                else None
            )
        if self.config.relative_positions:
            mask_features = append_coordinates(mask_features)
        m32, m16, m8 = (upsample(mask_features, level.shape[-2:]) for level in levels)
        memory = self.instance_encoder.memory(levels)
        return FeatureMaps(mask_features, levels, (m32, m16, m8), memory, detail)

    def interact(
        self, maps: FeatureMaps, clicks: PackedClicks, *, auxiliary: bool = False
    ) -> Prediction:
        """What the clicks mean: all that is paid for each click (MODEL_SPEC 5 to 7).

        Args:
            maps: from ``encode``.
            clicks: packed with ``extra=model.bootstrapper.extra`` padding queries.
            auxiliary: also give the predictions of every encoder layer, for the loss.
        """
        queries = self.bootstrapper(maps.levels, clicks, maps.padded_size)
        falloff = self.head.falloff_coefficients(queries.centre_BQ2)
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
        """What decides whose a pixel is, for each image; clicks obeyed where the config says so."""
        return decide(prediction, clicks, obeyed=self.config.obey_clicks)

    def _refine(
        self, maps: FeatureMaps, logits_BQhw: Tensor, owners_BQ: Tensor, clicks: PackedClicks
    ) -> tuple[Tensor, ...]:
        if maps.detail is None:
            raise InvalidInputError(
                "the features lack the refiner's detail: encode the image again"
            )
        # Where two large logits meet, small changes count: float32 under mixed precision too.
        with torch.autocast(logits_BQhw.device.type, enabled=False):
            parts = zip(maps.detail, logits_BQhw.float(), owners_BQ, clicks.places(), strict=True)
            return tuple(
                self.refiner(detail, logits, owners, places / STRIDE)
                for detail, logits, owners, places in parts
            )

    @staticmethod
    def attention_mask(embedding_BQC: Tensor, pooled_BChw: Tensor) -> Tensor:
        """Where each query may look: inside its own mask, or anywhere if that is empty.

        Resizing is linear, so logits from resized features are resized logits: (B, Q, T) boolean.
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
    """Inner products (B, Q, h, w).

    With distances in them large terms cancel: float32 under mixed precision too.
    """
    with torch.autocast(embedding_BQC.device.type, enabled=False):
        embedding_BQC = embedding_BQC.to(features_BChw.dtype)
        products = torch.bmm(embedding_BQC, features_BChw.flatten(2))
    return products.view(*products.shape[:2], *features_BChw.shape[-2:])
