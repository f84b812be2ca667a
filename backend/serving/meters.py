"""What is measured as it happens."""

from prometheus_client import Histogram

CLICK_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
ENCODE_BUCKETS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Meters:
    """Durations in seconds, of one application: in no registry that processes share."""

    def __init__(self) -> None:
        self.clicks = Histogram(
            "dynamite_click_seconds",
            "From a click that was read to its masks, the image's features included.",
            buckets=CLICK_BUCKETS,
            registry=None,
        )
        self.encodes = Histogram(
            "dynamite_encode_seconds",
            "The model's work on one image, without waiting for its turn.",
            buckets=ENCODE_BUCKETS,
            registry=None,
        )
