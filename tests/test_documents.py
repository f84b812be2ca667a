"""What the documents say is true: code runs, links resolve, commands and targets exist."""

import re
import shlex
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

import dynamite
from backend.cli import main
from backend.label_studio import config_check
from backend.label_studio.config_writer import write
from backend.label_studio.labeling_config import parse

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text()
FOLDERS = ("backend", "benchmarks", "deploy", "docs", "dynamite", "tests", "training", ".github")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(p for f in FOLDERS for p in (ROOT / f).rglob("*.md"))])

FENCE = re.compile(r"^( *)```.*?^\1```", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
MERGE_MARK = re.compile(r"^(?:<{7}|={7}|>{7})(?= |$).*", re.MULTILINE)
MODULE = re.compile(r"(\w+/)+\w+\.py")
HEADING = re.compile(r"^#+ +(.*?) *#*$", re.MULTILINE)
LINK = re.compile(r"""\]\(([^)\s]+)[^)]*\)|(?:href|src|srcset)=["']([^"']+)["']""")
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)
FIRST = re.compile(r"^\.venv/bin/dynamite (segment .*)$", re.MULTILINE)
PART = re.compile(r" *[\d.,]*\d")
COMMAND = re.compile(r"(?:^|`|/)dynamite ([a-z][a-z-]+)", re.MULTILINE)
CONFIG_PROBLEM = re.compile(r"`✗ labelling config  (.*?)`", re.MULTILINE)
TARGET = re.compile(r"^(?:\$ )?make (?:[A-Z]+=\S+ )*([a-z][a-z0-9-]*)", re.MULTILINE)

every_document = pytest.mark.parametrize(
    "path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


def test_the_code_of_the_readme_runs() -> None:
    (code,) = CODE.findall((ROOT / "README.md").read_text())
    names = {"image": np.random.default_rng(0).integers(0, 256, (120, 200, 3), np.uint8)}
    exec(code, names)
    result = names["result"]
    assert result.label_map.shape == (120, 200)
    assert len(result.masks) == len(result.scores) == 2


@every_document
def test_modules_that_documents_name_exist(path: Path) -> None:
    named = [span for span in SPAN.findall(path.read_text()) if MODULE.fullmatch(span)]
    roots = [ROOT, *(ROOT / package for package in ("backend", "dynamite", "training", "tests"))]
    assert [name for name in named if not any((root / name).is_file() for root in roots)] == []


@pytest.mark.slow
def test_the_first_command_of_the_readme_says_what_is_printed_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "README.md").read_text()
    (command,) = FIRST.findall(text)
    (tmp_path / "backend").symlink_to(ROOT / "backend")
    monkeypatch.chdir(tmp_path)
    printed = CliRunner().invoke(main, shlex.split(command), catch_exceptions=False).stdout
    (wanted,) = re.findall(r"```\n(masks\.png: .*?)```", text, re.DOTALL)
    assert PART.sub("#", printed) == PART.sub("#", wanted)
    numbers = [[float(one.replace(",", "")) for one in PART.findall(x)] for x in (printed, wanted)]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.05)  # another CPU rounds otherwise


def test_the_first_screen_of_the_readme_has_a_picture_and_the_commands() -> None:
    first, *_ = (ROOT / "README.md").read_text().split("\n## ")
    assert "![" in first
    assert {"demo", "serve", "test"} <= set(targets_named(first))


def prose(text: str) -> str:
    """The text without code: brackets in code are not links."""
    return SPAN.sub("", FENCE.sub("", text))


@cache
def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a document."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in HEADING.findall(FENCE.sub("", path.read_text())):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def relative_links(path: Path) -> list[str]:
    links = [inline or html for inline, html in LINK.findall(prose(path.read_text()))]
    return [link for link in links if not re.match(r"[a-z]+:", link)]


def broken_links(path: Path) -> list[str]:
    """The relative links of a document that lead to no file or heading."""
    broken = []
    for link in relative_links(path):
        name, _, anchor = link.partition("#")
        file = path.parent / name if name else path
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(link)
    return broken


@every_document
def test_no_merge_left_its_marks(path: Path) -> None:
    assert MERGE_MARK.findall(path.read_text()) == []


@every_document
def test_links_lead_to_files_and_headings(path: Path) -> None:
    assert broken_links(path) == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# Some `code`, and more!\n\n## Twice\n\n## Twice\n")
    (tmp_path / "this.md").write_text(
        "# Here\n[a](other.md) [b](#here) [c](other.md#some-code-and-more) [d](other.md#twice-1)\n"
        "[e](https://example.com/none) `[f](none.md)`\n```\n[g](none.md)\n```\n"
        '![h](none.png "title") [i](#there) [j](other.md#twice-2)\n<img src="none.svg">\n'
    )
    assert broken_links(tmp_path / "this.md") == [
        "none.png",
        "#there",
        "other.md#twice-2",
        "none.svg",
    ]


@every_document
def test_commands_exist(path: Path) -> None:
    named = set(COMMAND.findall(path.read_text()))
    unknown = {name for name in named if CliRunner().invoke(main, [name, "--help"]).exit_code != 0}
    assert unknown == set()


def recipe(target: str) -> list[str]:
    """The commands of a target of the Makefile, its variable for .venv/bin filled in."""
    (lines,) = re.findall(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.M)
    return [line.strip().replace("$(BIN)", ".venv/bin") for line in lines.splitlines()]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z0-9-]*):", MAKEFILE, re.MULTILINE))


def targets_named(text: str) -> list[str]:
    """The targets that code in a document names."""
    fences = [block.group() for block in FENCE.finditer(text)]
    return TARGET.findall("\n".join([*fences, *SPAN.findall(FENCE.sub("", text))]))


def test_what_doctor_says_of_labelling_configs_is_quoted_as_it_says_it() -> None:
    good = write(["Cup"])
    faulty = [
        re.sub(r"<(KeyPoint|Rectangle)Labels.*?</\1Labels>", "", good, flags=re.DOTALL),
        re.sub(r"<BrushLabels.*?</BrushLabels>", "", good, flags=re.DOTALL),
        good.replace('smart="true"', 'smart="false"'),
        good.replace('smart="true"', 'smart="true" smartOnly="true"'),
        re.sub(r"(<KeyPointLabels[^>]*>)", r'\1<Label value="Mug"/>', good),
    ]
    said = [problem for config in faulty for problem in config_check.problems(parse(config))]
    quoted = CONFIG_PROBLEM.findall((ROOT / "docs" / "nothing-happens.md").read_text())
    assert len(quoted) == len(faulty)
    assert [one for one in quoted if not any(map(re.compile(re.escape(one)).match, said))] == []


@every_document
def test_make_targets_exist(path: Path) -> None:
    assert set(targets_named(path.read_text())) <= targets()


def test_ci_runs_targets_that_exist() -> None:
    named = TARGET.findall((ROOT / ".ci" / "run").read_text())
    assert {"lint", "test", "docs"} <= set(named) <= targets()


def test_hooks_run_the_commands_of_make_lint() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    assert [hook["entry"] for hook in repository["hooks"]] == recipe("lint")
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}


def test_paths_named_in_contributing_exist() -> None:
    spans = SPAN.findall(FENCE.sub("", (ROOT / "CONTRIBUTING.md").read_text()))
    paths = [span for span in spans if re.fullmatch(r"(?:[\w.-]+/)+[\w.-]+", span)]
    assert paths
    made = ("build/", ".venv/")
    assert [p for p in paths if not p.startswith(made) and not (ROOT / p).exists()] == []


def published() -> set[Path]:
    """The files that `make docs` copies to the site."""
    (patterns,) = re.findall(r"^PAGES := \$\(wildcard (.*)\)$", MAKEFILE, re.MULTILINE)
    return {path for pattern in patterns.split() for path in ROOT.glob(pattern)}


def pages(navigation: object) -> list[str]:
    """The files of the site's navigation, which nests lists and tables."""
    if isinstance(navigation, str):
        return [navigation]
    parts = navigation.values() if isinstance(navigation, dict) else navigation
    return [page for part in parts for page in pages(part)]


def test_every_document_is_in_the_navigation_of_the_site() -> None:
    navigation = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]
    sources = {
        "docs/images/README.md",
        "backend/demo_images/SOURCES.md",
        "training/base_set/SOURCES.md",
    }
    documents = {str(path.relative_to(ROOT)) for path in published() if path.suffix == ".md"}
    assert Counter(pages(navigation)) == Counter(documents - sources)


def test_documents_on_the_site_link_to_files_on_the_site() -> None:
    files = published()
    outside = [
        (path.name, link)
        for path in files
        if path.suffix == ".md"
        for link in relative_links(path)
        if link[0] != "#" and (path.parent / link.partition("#")[0]).resolve() not in files
    ]
    assert outside == []


def test_the_api_reference_has_every_public_name() -> None:
    named = re.findall(r"^::: (\S+)$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    assert {f"dynamite.{name}" for name in dynamite.__all__} <= set(named)
    for name in named:
        assert resolve_name(name).__doc__


def test_the_tests_of_reliability_exist() -> None:
    named = re.findall(r"`([\w/]+\.py)::([\w:]+)`", (ROOT / "docs/reliability.md").read_text())
    assert len(named) > 40
    for file, name in named:
        *classes, function = name.split("::")
        text = (ROOT / "tests" / file).read_text()
        wanted = [*(f"class {one}[:(]" for one in classes), rf" *def {function}\("]
        assert all(re.search(rf"^{one}", text, re.MULTILINE) for one in wanted), f"{file}::{name}"
