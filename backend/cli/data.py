"""``dynamite data``: checks data sets, packs them, and converts others to the COCO format."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynamite.files import replacing

if TYPE_CHECKING:
    from training.data.problems import OnProblem, Problems

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)

_root = click.option("--root", type=_FOLDER, help="Folder of the data sets.")
_skip = click.option(
    "--skip-problems", is_flag=True, help="Skip faulty images and objects instead of stopping."
)


@click.group()
def data() -> None:
    """Check data sets, pack them, and convert others to the COCO format.

    Name a data set by its folder below --root (coco_train2017), by its published name (GrabCut,
    davis_2017_val, coco_2017_val; docs/data.md lists the folders), or by the path of a COCO json.
    """


@data.command()
@click.argument("names", nargs=-1, required=True)
@_root
def check(names: tuple[str, ...], root: Path | None) -> None:
    """Read every sample of the data sets and list all problems.

    \b
    Example:
      dynamite data check --root data ecssd pets GrabCut
    """
    from rich.table import Table

    from backend.cli.printing import counted, print_table
    from training.data.catalog import open_dataset
    from training.data.problems import DatasetError, left_out, why_empty
    from training.progress import track

    table = Table("set", "images", "objects", "ignored", "problems", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    faulty = 0
    for name in names:
        dataset = open_dataset(name, root, on_problem="skip")
        found = [str(problem) for problem in left_out(dataset)]
        if not len(dataset):
            found.append(why_empty(dataset))
        elif only_crowds := len(getattr(dataset, "only_crowds", ())):
            crowds = f"{only_crowds:,} images with crowds only (`iscrowd: 1`)"
            click.echo(f"{dataset.name}: left out {crowds}", err=True)
        objects, ignored = 0, 0.0
        for index in track(range(len(dataset)), f"Reading {name}"):
            try:
                sample = dataset[index]
            except DatasetError as error:
                found.append(str(error))
                continue
            objects += len(sample.labels)
            ignored += float(sample.ignore.mean()) / len(dataset)
        row = (f"{len(dataset):,}", f"{objects:,}", f"{ignored:.1%}", f"{len(found):,}")
        table.add_row(dataset.name, *row)
        faulty += len(found)
        for problem in found:
            click.echo(problem, err=True)
    print_table(table)
    if faulty:
        raise click.ClickException(f"{counted(faulty, 'problem')}, listed above")


@data.command(short_help="Pack each data set into one file that is quick to read.")
@click.argument("names", nargs=-1, required=True)
@_root
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for the packed files.",
)
@click.option("--longest-side", default=512, show_default=True, help="Shrink larger images.")
@click.option("--quality", default=85, show_default=True, help="JPEG quality, up to 100.")
@_skip
def pack(
    *,
    names: tuple[str, ...],
    root: Path | None,
    to: Path,
    longest_side: int,
    quality: int,
    skip_problems: bool,
) -> None:
    """Pack each data set into one file, NAME.pack, that is quick to read and easy to move.

    Give the folder of the packed files to the training as its data folder. The seven data sets of
    `lite` need 60 MB at --longest-side 448 --quality 55, and load twice as fast as the originals.

    \b
    Example:
      dynamite data pack --root data --to packed ecssd pets balloon
    """
    from training.data.catalog import open_dataset
    from training.data.packed import pack as write
    from training.data.problems import left_out, why_empty

    to.mkdir(parents=True, exist_ok=True)
    for name in names:
        dataset = open_dataset(name, root, on_problem=_on_problem(skip_problems))
        if not len(dataset):
            raise click.ClickException(why_empty(dataset))
        if len(left_out(dataset)):
            click.echo(f"{dataset.name}: {left_out(dataset)}", err=True)
        path = to / f"{dataset.name}.pack"
        size = write(dataset, path, longest_side=longest_side, quality=quality)
        click.echo(f"{path}: {len(dataset):,} images, {size / 1e6:.1f} MB")


@data.command()
@click.argument("coco", type=_FILE)
@click.argument("lvis", type=_FILE)
@click.argument("out", type=_NEW_FILE)
@click.option(
    "--same-object",
    default=0.5,
    show_default=True,
    help="IoU of masks of one object.",
)
@_skip
def merge(*, coco: Path, lvis: Path, out: Path, same_object: float, skip_problems: bool) -> None:
    """Merge the objects of COCO and LVIS on the images of LVIS.

    The result has all objects of LVIS, whose outlines are finer, and the objects of COCO that LVIS
    lacks. The two files of the full data sets need about 20 GB of memory.

    \b
    Example:
      cd data/coco/annotations
      dynamite data merge instances_train2017.json lvis_v1_train.json coco_lvis.json
    """
    from training.data.coco_json import load_json
    from training.data.coco_lvis import merge as merge_contents

    merged = merge_contents(load_json(coco), load_json(lvis), lvis, same_object)
    _report(merged.problems, lvis, skip_problems)
    _write(out, merged.content)
    click.echo(
        f"{out}: {len(merged.content['images']):,} images, {merged.from_lvis:,} objects of LVIS, "
        f"{merged.from_coco:,} of COCO ({merged.same:,} more are in both)"
    )


@data.command("from-ritm", short_help="Convert RITM's COCO+LVIS files to the COCO format.")
@click.argument("folder", type=_FOLDER)
@_skip
def from_ritm(folder: Path, skip_problems: bool) -> None:
    """Convert RITM's COCO+LVIS files in FOLDER to FOLDER/annotations.json.

    FOLDER contains hannotation.pickle, images/ and masks/. Reading the pickles runs no code that
    they may contain.

    \b
    Example:
      dynamite data from-ritm data/coco_lvis_ritm
    """
    from training.data.ritm_pickle import convert

    content, problems = convert(folder)
    _report(problems, folder, skip_problems)
    out = folder / "annotations.json"
    _write(out, content)
    images, objects = (f"{len(content[key]):,}" for key in ("images", "annotations"))
    click.echo(f"{out}: {images} images, {objects} objects")


def _on_problem(skip_problems: bool) -> "OnProblem":
    return "skip" if skip_problems else "raise"


def _report(problems: "Problems", source: Path, skip_problems: bool) -> None:
    if len(problems):
        click.echo(str(problems), err=True)
    problems.settle(source, _on_problem(skip_problems))


def _write(path: Path, content: dict[str, Any]) -> None:
    """Write a COCO json with objects, atomically: a truncated one is worse than none."""
    if not content["annotations"]:
        raise click.ClickException(f"{path} is not written: it would hold no object")
    with replacing(path) as draft, draft.open("w") as file:
        json.dump(content, file)
