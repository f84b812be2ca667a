"""Benchmarks the mask decoder with 30 objects; separate, so that each takes under a minute."""

from benchmarks.bench_decoder import run as run_decoder
from benchmarks.table import Row


def run() -> list[Row]:
    return run_decoder(crowds=(30,))
