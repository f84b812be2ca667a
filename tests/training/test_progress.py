"""The progress bar on a terminal, and the plain lines elsewhere."""

import io

import pytest
from rich.console import Console

from training.progress import Counter, duration, progress_bar, track


def terminal() -> Console:
    return Console(force_terminal=True, width=100, record=True, file=io.StringIO())


def test_counter_draws_a_bar_on_a_terminal() -> None:
    console = terminal()
    with Counter(console) as counter:
        counter.begin("lite, random, center", 2)
        counter.advance()
        counter.advance()
    assert "2/2" in console.export_text()


def test_counter_prints_ten_lines_where_there_is_no_terminal() -> None:
    file = io.StringIO()
    with Counter(Console(file=file, width=100)) as counter:
        counter.begin("lite", 40)
        for _ in range(40):
            counter.advance()
    lines = file.getvalue().splitlines()
    assert lines[0] == "lite: 4 of 40 images"
    assert lines[-1] == "lite: 40 of 40 images"
    assert len(lines) == 10


def test_a_task_may_know_its_time_left() -> None:
    console = terminal()
    with progress_bar(console, elapsed=False) as bar:
        task = bar.add_task("training", total=None)
        bar.update(task, total=100, completed=10, seconds_left=3723)
    assert "10/100 left 1:02:03" in console.export_text()


def test_the_bar_stays_hidden_where_there_is_no_terminal() -> None:
    file = io.StringIO()
    with progress_bar(Console(file=file)) as bar:
        bar.update(bar.add_task("warming", total=3), advance=3)
    assert not file.getvalue()


@pytest.mark.parametrize("least", [1, 100])
def test_track_yields_every_item(least: int) -> None:
    assert list(track(range(5), "Reading", least=least)) == [0, 1, 2, 3, 4]


def test_duration() -> None:
    assert duration(59.6) == "0:01:00"
