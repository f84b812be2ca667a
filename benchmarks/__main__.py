"""``make bench``: run the benchmarks, each in its own process, and print tables.

    python -m benchmarks [NAME…] [--write]

NAME is the name of a module without ``bench_``. With --write the tables are added to
docs/benchmarks.md, with the machine and the date.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from backend.launcher.environment import model_environment
from benchmarks.table import Row, render

HERE = Path(__file__).parent
RESULTS = HERE.parent / "docs" / "benchmarks.md"


def main() -> None:
    names = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*names, []], metavar="NAME")
    parser.add_argument(
        "--write", action="store_true", help="add the results to docs/benchmarks.md"
    )
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.json:
        rows = import_module(f"benchmarks.bench_{options.names[0]}").run()
        print(json.dumps([asdict(row) for row in rows]))
        return
    failed = False
    for name in options.names or names:
        rows = measure(name)
        table = render(rows)
        print(f"\n{name}\n{table}", flush=True)
        failed |= any(row.met is False for row in rows)
        if options.write:
            write(name, table)
    print("\nsome targets are missed" if failed else "\nall targets are met")
    sys.exit(failed)


def measure(name: str) -> list[Row]:
    """Run one benchmark with the launcher's allocator settings."""
    command = [sys.executable, "-m", "benchmarks", name, "--json"]
    done = subprocess.run(
        command, env=model_environment(0), check=True, capture_output=True, text=True
    )
    return [Row(**row) for row in json.loads(done.stdout.splitlines()[-1])]


def write(name: str, table: str) -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {_processor()}"
    with RESULTS.open("a") as file:
        file.write(f"\n## {name}, {today}\n\n{machine}\n\n```\n{table}\n```\n")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown processor"


if __name__ == "__main__":
    main()
