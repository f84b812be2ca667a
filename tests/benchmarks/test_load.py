"""The tables of load and soak, with few clicks: a real backend answers them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.people import Waits
from benchmarks.soak import Sample, report

ROOT = Path(__file__).parents[2]


def printed(module, *arguments):
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


@pytest.mark.load
def test_load_prints_a_row_for_each_crowd():
    crowd = ["--annotators", "1,2", "--replicas", "1", "--photos", "2"]
    arguments = [*crowd, "--seconds", "4", "--every", "0.5"]
    rows = [line.split() for line in printed("load", *arguments).splitlines()[2:]]
    assert [row[:2] for row in rows] == [["1", "1"], ["2", "1"]]
    for row in rows:
        assert int(row[2]) >= 2
        assert row[-2] == "0"  # errors
        assert re.fullmatch(r"\d+%", row[-3])


@pytest.mark.load
@pytest.mark.parametrize("tool", ["label-studio", "cvat"])
def test_soak_says_what_grows(tool):
    text = printed("soak", "--clicks", "200", "--people", "2", "--tool", tool)
    rows = {line.partition("  ")[0].partition(" after")[0]: line for line in text.splitlines()[2:]}
    assert list(rows) == ["resident memory", "open files", "threads", "errors", "a click, median"]
    assert rows["errors"].split()[1] == "0"


def test_a_leak_is_seen_after_the_warm_up_only():
    warming = [Sample(100 + 10 * number, 10 + number, 5) for number in range(20)]
    level = [Sample(300, 30, 9)] * 80
    steady = report(warming + level, Waits(seconds=[0.1] * 100))
    assert [row.met for row in steady[:4]] == [True] * 4
    leaking = [Sample(300 + n / 5, 30 + n // 40, 9 + n // 40) for n in range(80)]
    grown = report(warming + leaking, Waits(seconds=[0.1] * 99, errors=["502 Bad Gateway"]))
    assert [row.met for row in grown[:4]] == [False] * 4
    assert "502" in grown[3].note
