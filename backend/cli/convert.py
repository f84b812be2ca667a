"""``dynamite convert``: converts a published checkpoint to this project's format."""

from pathlib import Path

import click

from dynamite.network.config import PUBLISHED


@click.command()
@click.argument("published", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--preset",
    type=click.Choice(PUBLISHED),
    help="Network of the checkpoint  [default: recognized by its weights]",
)
@click.option(
    "--click-encoding",
    type=click.Choice(["spatial", "temporal"]),
    help="Click encoding, for the two ablations whose weights look alike.",
)
def convert(published: Path, out: Path, preset: str | None, click_encoding: str | None) -> None:
    """Convert the PUBLISHED checkpoint to OUT, a safetensors file.

    PUBLISHED is a .pth file of the official DynaMITe implementation. Reading it runs no code that
    it may contain. Every weight must fit the network.

    \b
    Example:
      dynamite convert dynamite_swin_tiny.pth swin_tiny.safetensors
      dynamite segment photo.jpg --preset swin_tiny --checkpoint swin_tiny.safetensors \\
          --object 120,80 --out overlay.png
    """
    from rich.console import Console

    from dynamite.checkpoints import conversion

    known = {"click_encoding": click_encoding} if click_encoding else {}
    with Console(stderr=True).status(f"Converting {published.name}"):
        config, version = conversion.convert(published, out, preset, **known)
    size = out.stat().st_size / 1e6
    click.echo(f"{out}: {version}, a {config.name} network, {size:.0f} MB")
