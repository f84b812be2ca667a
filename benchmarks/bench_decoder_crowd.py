"""The decoder with 30 objects: a benchmark of its own, so that each is over within a minute."""

from benchmarks.bench_decoder import run as run_decoder
from benchmarks.table import Row


def run() -> list[Row]:
    return run_decoder(crowds=(30,))
