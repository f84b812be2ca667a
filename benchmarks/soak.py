"""``make soak``: whether a backend grows: memory, open files and threads over many clicks.

    python -m benchmarks.soak [--clicks 10000] [--tool label-studio|cvat] [--people 4] [--write]

People click without a pause. The caches have room for fewer photos than there are, and people come
back to the same tasks, so that all that may grow has grown when the first fifth, the warm-up, is
over. What is compared are the medians of the tenth after it and of the last tenth.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.__main__ import write
from benchmarks.people import Cvat, LabelStudio, Waits, replay
from benchmarks.table import Row, render
from benchmarks.team import Team
from training.progress import progress_bar

SMALL = {"cache_device_mb": 0, "cache_memory_mb": 100, "cache_disk_mb": 20}
"""Room for the features of four photos in memory, and fewer on disk."""

PHOTOS = 20

EVERY = 20
"""Clicks between two samples."""

WARM = 2
"""The tenth that the last one is compared with; the warm-up comes before it."""

GROWTH = 2.0
"""Percent by which memory may grow."""

TOOLS = {"label-studio": LabelStudio, "cvat": Cvat}


@dataclass(frozen=True)
class Sample:
    """What a process holds."""

    megabytes: float
    files: int
    threads: int


def main() -> None:
    """Click, sample, compare."""
    options = parse()
    console = Console(stderr=True)
    with (
        Team(cvat=options.tool == "cvat", **SMALL) as team,
        progress_bar(console) as bar,
    ):
        tool = TOOLS[options.tool](team.photos, PHOTOS)
        process = team.servers[0].web_process
        samples: list[Sample] = []
        task = bar.add_task("clicks", total=options.clicks)

        def is_over(waits: Waits) -> bool:
            return len(waits.seconds) + len(waits.errors) >= options.clicks

        def look(waits: Waits) -> None:
            bar.update(task, completed=len(waits.seconds) + len(waits.errors))
            if (len(waits.seconds) + len(waits.errors)) % EVERY == 0:
                samples.append(sample(process))

        waits = replay(team.url, tool, options.people, every=0.0, is_over=is_over, seen=look)
    rows = report(samples, waits)
    table = render(rows)
    print(table)
    if options.write:
        write(f"soak, {options.tool}", table)
    sys.exit(any(row.met is False for row in rows))


def sample(process: int) -> Sample:
    """Look at a process."""
    folder = Path(f"/proc/{process}")
    lines = (folder / "status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return Sample(
        int(fields["VmRSS"].split()[0]) / 1000,
        sum(1 for _ in (folder / "fd").iterdir()),
        int(fields["Threads"]),
    )


def report(samples: Sequence[Sample], waits: Waits) -> list[Row]:
    """Compare the tenth after the warm-up with the last one."""
    size = max(1, len(samples) // 10)
    tenths = [samples[start : start + size] for start in range(0, 10 * size, size)]

    def medians(name: str) -> list[float]:
        """Return the median of each tenth."""
        return [statistics.median(getattr(one, name) for one in tenth) for tenth in tenths]

    clicks = len(waits.seconds) + len(waits.errors)
    memory, files, threads = (medians(name) for name in ("megabytes", "files", "threads"))
    return [
        Row(
            f"resident memory after {clicks:,} clicks",
            100 * (memory[-1] / memory[WARM] - 1),
            "% more",
            f"≤ {GROWTH:g}",
            "MB by tenths: " + " ".join(f"{one:.0f}" for one in memory),
        ),
        Row("open files", files[-1] - files[WARM], "more", "≤ 0", f"{files[-1]:.0f} at the end"),
        Row("threads", threads[-1] - threads[WARM], "more", "≤ 0", f"{threads[-1]:.0f} at the end"),
        Row("errors", len(waits.errors), "", "≤ 0", "; ".join(sorted(set(waits.errors))[:3])),
        Row(
            "a click, median",
            waits.quantile(0.5),
            "ms",
            "",
            f"p99 {waits.quantile(0.99):.0f} ms",
        ),
    ]


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clicks", type=int, default=10_000, help="[10000]")
    parser.add_argument("--tool", choices=TOOLS, default="label-studio", help="[label-studio]")
    parser.add_argument("--people", type=int, default=4, help="people who click at once [4]")
    parser.add_argument("--write", action="store_true", help="add the table to docs/benchmarks.md")
    options = parser.parse_args()
    if options.clicks < 10 * EVERY:
        parser.error(f"--clicks {options.clicks} is too few to compare: at least {10 * EVERY}")
    return options


if __name__ == "__main__":
    main()
