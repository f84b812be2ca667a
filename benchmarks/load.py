"""``make load``: what annotators wait for, by how many there are and how many backends.

    python -m benchmarks.load [--annotators 1,4,8,16] [--replicas 1,2] [--seconds 60] [--write]

Replayed annotators open photos and click in Label Studio's page. One backend is called directly,
several behind a real HAProxy with deploy/haproxy.cfg; all share this machine's cores. Photos are
new at first: what the first click on one waits for its features counts as well.

"hit rate": features found, of those asked for. "errors": calls that failed, answers without masks,
and earlier masks repeated because a click failed. "met": no error, p50 ≤ 250 ms, p99 ≤ 1000 ms.
"""

import argparse
import io
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from benchmarks.__main__ import write
from benchmarks.people import LabelStudio, Waits, replay
from benchmarks.team import Team
from training.progress import progress_bar

P50, P99 = 250.0, 1000.0
"""Milliseconds that docs/slo.md promises."""

PROMISED = 8
"""Annotators for whom it is promised."""


@dataclass(frozen=True)
class Point:
    """What some annotators saw of some backends; times in milliseconds."""

    annotators: int
    replicas: int
    clicks: int
    p50: float
    p95: float
    p99: float
    hit_rate: float
    errors: int

    @property
    def met(self) -> bool:
        """Whether it is as promised."""
        return not self.errors and self.p50 <= P50 and self.p99 <= P99


def main() -> None:
    """Measure and print the table."""
    options = parse()
    console = Console(stderr=True)
    points = []
    with progress_bar(console) as bar:
        cells = len(options.replicas) * len(options.annotators)
        task = bar.add_task("seconds", total=round(cells * options.seconds))
        for replicas in options.replicas:
            for annotators in options.annotators:  # a backend of its own: nothing is warm
                points.append(measure(annotators, replicas, options, bar, task))
    text = render(points, options)
    print(text)
    if options.write:
        write("load", text)
    sys.exit(any(not one.met for one in points if one.annotators <= PROMISED))


def measure(
    annotators: int, replicas: int, options: argparse.Namespace, bar: Progress, task: TaskID
) -> Point:
    """Let annotators click on fresh backends."""
    bar.update(task, description=f"{annotators} annotators, {replicas} backends: starting")
    with Team(replicas) as team:
        tool = LabelStudio(team.photos, options.photos)
        before = team.figures()
        bar.update(task, description=f"{annotators} annotators, {replicas} backends: clicking")
        begun, done = time.monotonic(), bar.tasks[task].completed

        def is_over(_: Waits) -> bool:
            return time.monotonic() - begun >= options.seconds

        def tell(_: Waits) -> None:
            gone = min(time.monotonic() - begun, options.seconds)
            bar.update(task, completed=done + gone)

        waits = replay(team.url, tool, annotators, every=options.every, is_over=is_over, seen=tell)
        bar.update(task, completed=done + options.seconds)
        after = team.figures()

    def more(name: str, *labels: str) -> float:
        """Return by how much the metrics have grown whose labels include these."""
        wanted = {key for key in after if key[0] == name and set(labels) <= set(key)}
        return sum(after[key] - before.get(key, 0.0) for key in wanted)

    hits, misses = more("dynamite_cache_hits_total"), more("dynamite_cache_misses_total")
    repeated = more("dynamite_clicks_total", "repeated")
    for error in sorted(set(waits.errors)):
        bar.console.print(f"{waits.errors.count(error)} × {error}", markup=False)
    return Point(
        annotators,
        replicas,
        len(waits.seconds) + len(waits.errors),
        waits.quantile(0.5),
        waits.quantile(0.95),
        waits.quantile(0.99),
        hits / (hits + misses) if hits + misses else float("nan"),
        len(waits.errors) + round(repeated),
    )


def render(points: Sequence[Point], options: argparse.Namespace) -> str:
    """Return an aligned table."""
    title = f"a click every {options.every:g} s for {options.seconds:g} s, {options.photos} photos"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("annotators", "backends", "clicks", "p50", "p95", "p99", "hit rate", "errors"):
        table.add_column(name, justify="right")
    table.add_column("met")
    for one in points:
        times = (f"{value:.0f} ms" for value in (one.p50, one.p95, one.p99))
        numbers = map(str, (one.annotators, one.replicas, one.clicks))
        ends = (f"{one.hit_rate:.0%}", str(one.errors), "yes" if one.met else "NO")
        table.add_row(*numbers, *times, *ends)
    lines = io.StringIO()
    Console(file=lines, width=100).print(table)
    return "\n".join(line.rstrip() for line in lines.getvalue().rstrip().splitlines())


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    counts = {"type": numbers, "metavar": "N,N"}
    parser.add_argument("--annotators", default=[1, 4, 8, 16], help="[1,4,8,16]", **counts)
    parser.add_argument("--replicas", default=[1, 2], help="backends [1,2]", **counts)
    parser.add_argument("--seconds", type=float, default=60.0, help="time of each row [60]")
    parser.add_argument("--every", type=float, default=3.0, help="seconds between clicks [3]")
    parser.add_argument("--photos", type=int, default=40, help="photos in all [40]")
    parser.add_argument("--write", action="store_true", help="add the table to docs/benchmarks.md")
    return parser.parse_args()


def numbers(text: str) -> list[int]:
    """Read 1,4,8."""
    found = [int(one) for one in text.split(",")]
    if min(found) < 1:
        raise ValueError(text)
    return found


if __name__ == "__main__":
    main()
