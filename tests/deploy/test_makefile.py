"""The Makefile's line that creates the environment, run with a fake Python."""

import re
import subprocess
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / "Makefile").read_text().replace("\\\n\t", "")
VARIABLES = dict(re.findall(r"^(\w+) [:?]?= (.*)$", TEXT, re.MULTILINE))
FIRST_LINE = re.search(r"^\$\(STAMP\):.*\n\t@(.*)$", TEXT, re.MULTILINE)[1]
PYTHON = """#!/bin/sh
echo "$*" >> called
case "$*" in
  "-m venv --clear .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/pip;;
  *) exec python3 "$@";;
esac
"""


def line(python):
    """Return the line that creates the environment, as the shell receives it."""
    text = FIRST_LINE
    values = VARIABLES | {"PYTHON": python}
    while "$(" in text:
        text = re.sub(r"\$\((\w+)\)", lambda found: values[found[1]], text)
    return text


@pytest.fixture
def make(tmp_path):
    program = tmp_path / "python"
    program.write_text(PYTHON)
    program.chmod(0o700)

    def run(python="./python"):
        command = ["bash", "-c", line(python)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_an_environment_whose_making_was_interrupted_is_made_again_a_whole_one_is_kept(
    make, tmp_path
):
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for _ in range(2):
        assert make().returncode == 0
        assert (tmp_path / ".venv" / "bin" / "pip").exists()
    assert (tmp_path / "called").read_text().count("-m venv") == 1


@pytest.mark.parametrize("old", [False, True])
def test_a_python_that_is_missing_or_too_old_gets_a_hint(make, tmp_path, old):
    if old:
        (tmp_path / "python").write_text("#!/bin/sh\nexit 1\n")
    done = make("./python" if old else "python9")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Python 3.11 or newer with venv is needed")
    assert "make PYTHON=" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_what_make_test_leaves_out_has_a_target_that_ci_runs_once():
    left_out = re.search(r'^test:.*\n.* -m "(.*)"$', TEXT, re.MULTILINE)[1]
    steps = (Path(__file__).parents[2] / ".ci" / "run").read_text().splitlines()
    for suite in left_out.removeprefix("not ").split(" and not "):
        assert re.search(rf"^test-{suite}:.*\n.* -m {suite}$", TEXT, re.MULTILINE)
        assert steps.count(f"make test-{suite}") == 1
