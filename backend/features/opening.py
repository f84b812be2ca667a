"""Opens the feature cache of a serving process."""

from typing import TYPE_CHECKING

from backend.features.cache import FeatureCache

if TYPE_CHECKING:
    from backend.settings import Settings
    from dynamite.predict.features import ImageFeatures


def open_cache(
    settings: "Settings", device: str, *, cancellations: tuple[type[Exception], ...]
) -> "FeatureCache[ImageFeatures]":
    """Return a cache with the budgets of the settings, for a model on ``device``.

    On the CPU, device and memory are the same, so their budgets are added up in one tier.
    ``cancellations`` are those of ``FeatureCache``.
    """
    from backend.settings import MEGABYTE  # noqa: PLC0415
    from dynamite.predict.features import ImageFeatures  # noqa: PLC0415

    on_cpu = device == "cpu"
    return FeatureCache(
        ImageFeatures.from_bytes,
        folder=settings.features_dir or settings.state_dir / "features",
        may_make_folder=settings.features_dir is None,
        device=device,
        device_bytes=0 if on_cpu else settings.cache_device_mb * MEGABYTE,
        memory_bytes=(settings.cache_memory_mb + on_cpu * settings.cache_device_mb) * MEGABYTE,
        disk_bytes=settings.cache_disk_mb * MEGABYTE,
        cancellations=cancellations,
    )
