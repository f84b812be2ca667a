"""``dynamite evaluate``: measures clicks until the masks are right, for models and baselines."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynamite.errors import CheckpointError
from dynamite.network.config import PRESETS

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.data.sample import InstanceDataset
    from training.evaluation.segmenter import Segmenter

STRATEGIES = ("best", "worst", "random", "max_dt", "round_robin", "wlb")
PROTOCOLS = ("center", "off-center", "off-center-easy", "off-center-hard", "scribble", "box")
BASELINES = ("grabcut", "random_walker")


@click.command()
@click.argument("checkpoint", required=False)
@click.option(
    "--set",
    "set_name",
    required=True,
    help="Data set: a name below --data, or a COCO json.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Folder of the data sets.",
)
@click.option(
    "--strategy",
    "strategies",
    type=click.Choice([*STRATEGIES, "all"]),
    multiple=True,
    default=["random"],
    show_default=True,
    help="Which object to click next; repeat the option to compare several.",
)
@click.option("--single", is_flag=True, help="Segment one object at a time: NoC instead of NCI.")
@click.option(
    "--protocol",
    "protocols",
    type=click.Choice([*PROTOCOLS, "all"]),
    multiple=True,
    default=["center"],
    show_default=True,
    help="How the annotator marks; with several, the table shows the rise over center clicks.",
)
@click.option(
    "--baseline",
    "baselines",
    type=click.Choice(BASELINES),
    multiple=True,
    help="Also evaluate a classical method, on clicks placed the same way.",
)
@click.option("--threshold", type=float, help="IoU to reach.  [default: 0.85; with --single 0.90]")
@click.option("--budget", type=int, help="Clicks per object.  [default: 10; with --single 20]")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Number added to the protocol's seed.",
)
@click.option(
    "--skip-problems",
    is_flag=True,
    help="Skip and list faulty images and objects.",
)
@click.option("--substitute-empty", is_flag=True, help="Replace images without objects by others.")
@click.option(
    "--redraw-all",
    is_flag=True,
    help="Let every click redraw all objects, as in the paper; in use, the others hold still.",
)
@click.option("--limit", type=click.IntRange(1), help="Evaluate only this many images.")
@click.option(
    "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Number of processes."
)
@click.option("--preset", help="Network of a published checkpoint, which does not name it.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, …")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the table, JSON, curves and the worst ten images of each row.",
)
def evaluate(
    *,
    checkpoint: str | None,
    preset: str | None,
    set_name: str,
    data: Path | None,
    strategies: tuple[str, ...],
    single: bool,
    protocols: tuple[str, ...],
    baselines: tuple[str, ...],
    threshold: float | None,
    budget: int | None,
    seed: int,
    skip_problems: bool,
    substitute_empty: bool,
    redraw_all: bool,
    limit: int | None,
    jobs: int,
    device: str,
    out: Path | None,
) -> None:
    """Count the clicks a model needs until its masks are right.

    CHECKPOINT is a file, or a preset whose weights ship with the package. Without it, only the
    baselines run.

    \b
    Example:
      dynamite evaluate lite --set training/base_set --limit 3
      dynamite evaluate lite --data sets --set coco_val --strategy random \\
          --baseline grabcut --out report
      dynamite evaluate my.safetensors --data sets --set grabcut --single --protocol all

    By default, all objects of an image are segmented together (MIST), with a budget of 10 clicks
    per object: NCI is the number of clicks per object, NFO counts failed objects, NFI images with a
    failed object. With --single, NoC is the number of clicks per object, at most 20.
    """
    from datetime import UTC, datetime

    from backend.cli.printing import print_table
    from training.data.problems import left_out, why_empty
    from training.evaluation.plan import EvaluationPlan
    from training.evaluation.processes import evaluate_in_processes
    from training.evaluation.report import Row, table
    from training.progress import Counter

    methods = _methods(checkpoint, preset, baselines, device, jobs, redraw_all=redraw_all)
    changes: dict[str, Any] = {"seed": seed, "substitute_empty": substitute_empty}
    changes |= {"threshold": threshold} if threshold is not None else {}
    changes |= {"clicks_per_object": budget} if budget is not None else {}
    plans = [
        (EvaluationPlan.single_instance if single else EvaluationPlan)(
            strategy=strategy, gesture=gesture, **changes
        )
        for strategy in _chosen(strategies, STRATEGIES)[: 1 if single else None]
        for gesture in _chosen(protocols, PROTOCOLS)
    ]
    if out is not None:
        from training.evaluation.report_folder import make_folder, write_report  # needs matplotlib

        make_folder(out)
    open_set = partial(_open_set, set_name, data, skip_problems, substitute_empty)
    dataset = open_set()
    if len(left_out(dataset)):
        click.echo(f"{dataset.name}: {left_out(dataset)}", err=True)
    if not len(dataset):
        raise click.ClickException(why_empty(dataset))
    indices = range(min(len(dataset), limit or len(dataset)))
    title = f"{dataset.name}, {len(indices)} of {len(dataset)} images"
    rows = []
    with Counter() as counter:
        for method, build in methods.items():
            for plan in plans:
                counter.begin(f"{method}, {plan.strategy}, {plan.gesture}", len(indices))
                records = evaluate_in_processes(
                    build,
                    open_set,
                    plan,
                    indices=indices,
                    jobs=min(jobs, len(indices)),
                    on_sample=counter.advance,
                )
                if not records:
                    raise click.ClickException(f"{title}: no image has an object")
                rows.append(Row(method, plan, records))
                if out is not None:  # after each row, so that an interrupted run leaves a report
                    now = datetime.now(UTC).isoformat(timespec="seconds")
                    write_report(out, rows, dataset, title, set=dataset.name, date=now, jobs=jobs)
    print_table(table(rows, title))
    if out is not None:
        click.echo(f"{out}: table.txt, results.json, curves.png, worst/")


def _methods(
    checkpoint: str | None,
    preset: str | None,
    baselines: tuple[str, ...],
    device: str,
    jobs: int,
    *,
    redraw_all: bool,
) -> "dict[str, Callable[[], Segmenter]]":
    """Return a builder for each method to compare, by name; builders can be pickled."""
    if checkpoint is None and not baselines:
        raise click.UsageError("give a CHECKPOINT (for example lite), a --baseline, or both")
    methods: dict[str, Callable[[], Segmenter]] = {}
    if checkpoint is not None:
        from backend.serving.loading import choose_device
        from dynamite.checkpoints.loading import shipped
        from training.evaluation.model_segmenter import load_segmenter

        if checkpoint in PRESETS and not Path(checkpoint).is_file():
            try:
                shipped(checkpoint)
            except CheckpointError:
                raise click.UsageError(
                    f"no weights ship for {checkpoint}: give the file instead, with --preset "
                    f"{checkpoint} if it is a published one"
                ) from None
        chosen = choose_device(device)
        threads = 1 if jobs > 1 else None
        name = Path(checkpoint).stem
        methods[name] = partial(
            load_segmenter, checkpoint, preset, chosen, threads, redraw_all=redraw_all
        )
    if "grabcut" in baselines:
        from training.evaluation.grabcut import GrabCut

        methods["grabcut"] = GrabCut
    if "random_walker" in baselines:
        from training.evaluation.random_walker import RandomWalker

        methods["random_walker"] = RandomWalker
    return methods


def _chosen(names: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    return known if "all" in names else names


def _open_set(
    name: str, root: Path | None, skip_problems: bool, keep_empty: bool
) -> "InstanceDataset":
    """Open a data set; one for evaluation may be in the folder ``eval`` below the root."""
    from training.data.catalog import open_dataset

    below = f"eval/{name}"
    found = root is not None and (root / below).exists() and not (root / name).exists()
    return open_dataset(
        below if found else name,
        root,
        on_problem="skip" if skip_problems else "raise",
        keep_empty=keep_empty,
        keep_hidden=True,
    )
