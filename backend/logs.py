"""What our processes log: one line each, with time and level, on standard error."""

import logging

from backend.settings import Settings


def log_as(settings: Settings) -> None:
    """Log what the settings ask for, from now on, unless logging has been set up already."""
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)-7s %(message)s"
    )
