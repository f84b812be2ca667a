"""One process of a retraining: ``python -m training.retraining.rank CONFIG.json OUT``.

Started alone or by torchrun. It dies with its parent, so no training outlives a killed worker.
"""

import os

from dynamite.lifeline import die_with_parent


def main() -> None:
    """Train, from the last checkpoint if there is one."""
    import json  # noqa: PLC0415
    import sys  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    from dynamite.errors import DynamiteError  # noqa: PLC0415
    from training.config_files import from_dict  # noqa: PLC0415
    from training.loop.run import run  # noqa: PLC0415

    config, out = map(Path, sys.argv[1:3])
    try:
        run(from_dict(json.loads(config.read_text(encoding="utf-8"))), out, resume=True)
    except (DynamiteError, OSError) as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    die_with_parent(os.getppid())  # before anything slow is imported
    main()
