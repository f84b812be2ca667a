"""How our processes log: one line per record on standard error, with time and level."""

import logging


def log_from(level: str) -> None:
    """Log records of ``level`` and above, unless logging is already configured."""
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)-7s %(message)s")
    logging.getLogger("rq.worker").setLevel(logging.WARNING)  # its INFO lines report every job
