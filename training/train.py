"""``dynamite train``, also ``python -m training.train`` and ``torchrun -m training.train``."""

from pathlib import Path

import click


@click.command()
@click.argument(
    "config_path",
    metavar="CONFIG",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run [runs/NAME].",
)
@click.option("--data", type=click.Path(path_type=Path), help="Folder that holds the data sets.")
@click.option("--resume", is_flag=True, help="Continue from the run's last checkpoint.")
@click.option("--steps", type=click.IntRange(1), help="Total steps; stages keep their shares.")
@click.option(
    "--max-minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="Write a checkpoint and stop after this time.",
)
@click.option("--device", help="cpu or cuda [a GPU if there is one].")
@click.option(
    "--export", type=click.Path(path_type=Path), help="Only write the last weights to this file."
)
def train(
    config_path: Path,
    out: Path | None,
    data: Path | None,
    resume: bool,
    steps: int | None,
    max_minutes: float | None,
    device: str | None,
    export: Path | None,
) -> None:
    """Train the network that CONFIG (a YAML file, see configs/) describes.

    The run's folder gets metrics.jsonl, checkpoints and, at the end, model.safetensors. A run that
    was stopped or killed continues with --resume and gives the same result.

    \b
    A few steps, to check that everything is in place:
      dynamite train configs/lite.yaml --data DATA --steps 20 --out runs/try
    Four GPUs:
      torchrun --nproc-per-node=4 -m training.train configs/swin_tiny.yaml --data DATA
    The weights of a run that is still training:
      dynamite train configs/lite.yaml --data DATA --export lite.safetensors
    """
    from dataclasses import replace  # noqa: PLC0415

    from dynamite.errors import DynamiteError  # noqa: PLC0415
    from training.config_files import load_config  # noqa: PLC0415

    try:
        config = load_config(config_path)
        from training.loop.run import export as export_weights  # noqa: PLC0415  takes seconds
        from training.loop.run import run  # noqa: PLC0415

        if steps is not None:
            config = config.with_steps(steps)
        if max_minutes is not None:
            config = replace(config, max_seconds=60 * max_minutes)
        folder = out or Path("runs") / config.name
        if export is not None:
            step = export_weights(config, folder, export, data=data)
            click.echo(f"{export}: the weights after {step} steps")
        else:
            run(config, folder, data=data, resume=resume, device=device)
    except DynamiteError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    train()
