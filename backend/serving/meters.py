"""Durations measured as they happen, for /metrics."""

from prometheus_client import Histogram

CLICK_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
ENCODE_BUCKETS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Meters:
    """Histograms of one application, in seconds; not in the process-wide registry."""

    def __init__(self) -> None:
        self.clicks = Histogram(
            "dynamite_click_seconds",
            "From a parsed click to its masks, including the image's features.",
            buckets=CLICK_BUCKETS,
            registry=None,
        )
        self.encodes = Histogram(
            "dynamite_encode_seconds",
            "The encode of one image, without its wait in the queue.",
            buckets=ENCODE_BUCKETS,
            registry=None,
        )
