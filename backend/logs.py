"""What our processes log: one line each, with time and level, on standard error."""

import logging


def log_from(level: str) -> None:
    """Log from a level of the settings on, unless logging has been set up already."""
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)-7s %(message)s")
    logging.getLogger("rq.worker").setLevel(logging.WARNING)  # else it tells of each job
