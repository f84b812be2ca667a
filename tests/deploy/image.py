"""The Dockerfile's steps, run in a bare Debian: CI has no Docker engine.

Docker's own parser reads the file. A stage is a pile of folders (overlayfs), as in an image, and a
step runs in it by ``chroot``. What only an engine does is missing: pulling the base image, in whose
place debootstrap makes the Debian that it is made from, and the format of images.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import dockerfile

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build" / "image"
"""Where the bare Debian and the wheels stay for the next run; a clean clone has neither."""
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
WHEELS = "/mnt"
NEEDED = ("debootstrap", "unshare", "nsenter", "setpriv", "ip")


def missing() -> str | None:
    """Why the steps cannot be run here; None if they can."""
    if os.geteuid() != 0:
        return "only root may make file systems and change its root"
    absent = [name for name in NEEDED if shutil.which(name) is None]
    return f"not installed: {', '.join(absent)} (`apt-get install debootstrap`)" if absent else None


@contextmanager
def in_memory(folder: Path) -> Iterator[None]:
    """Keep what is written in a folder in memory: 60,000 files, which no disk writes quickly."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8g", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@dataclass(frozen=True)
class Stage:
    """A stage so far: its folders, lowest first, and what a container of it would begin with."""

    layers: tuple[Path, ...]
    environment: Mapping[str, str] = field(default_factory=lambda: {"PATH": SYSTEM_PATH})
    arguments: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "0:0"
    healthcheck: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    def mounted(self, folder: Path, *, upper: Path | None = None) -> list[str]:
        """The commands that mount it: read-only, or with what is written in ``upper``."""
        options = f"lowerdir={':'.join(map(str, reversed(self.layers)))}"
        if upper is not None:
            options += f",upperdir={upper},workdir={upper.with_suffix('.work')}"
        return [f"mount -t overlay overlay -o {shlex.quote(options)} {folder}"]


class Build:
    """Builds stages of the Dockerfile, each once.

    Args:
        folder: for layers and mounts; on a file system that overlayfs can write to.
        base: the root folder of a bare Debian.
        wheels: files that pip may install; it reaches no index.
    """

    def __init__(self, folder: Path, base: Path, wheels: Path) -> None:
        self._folder, self._base, self._wheels = folder, base, wheels
        self._stages: dict[str, Stage] = {}
        self._written = written_stages()
        self._context = folder / "context"
        copy_context(self._context)

    def stage(self, name: str) -> Stage:
        """Return a stage, after the stages it needs."""
        if name not in self._stages:
            parent, steps = self._written[name]
            stage = Stage((self._base,)) if parent == "${BASE}" else self.stage(parent)
            upper = self._folder / name
            for folder in (upper, upper.with_suffix(".work"), upper.with_suffix(".root")):
                folder.mkdir()
            for step in steps:
                stage = self._after(stage, step, upper)
            self._stages[name] = replace(stage, layers=(*stage.layers, upper))
        return self._stages[name]

    def _after(self, stage: Stage, step: dockerfile.Command, upper: Path) -> Stage:
        value = step.value
        match step.cmd:
            case "ENV":
                pairs = dict(zip(value[::2], value[1::2], strict=True))
                return replace(stage, environment={**stage.environment, **pairs})
            case "ARG":
                given, _, default = value[0].partition("=")
                return replace(stage, arguments={**stage.arguments, given: default})
            case "WORKDIR":
                self._inside(stage, upper, ["mkdir", "-p", value[0]])
                return replace(stage, workdir=value[0])
            case "RUN":
                self._inside(stage, upper, ["sh", "-c", value[0]])
            case "COPY":
                self._copy(stage, upper, step)
            case "USER":
                return replace(stage, user=value[0])
            case "HEALTHCHECK":
                assert value[0] == "CMD" and step.json
                return replace(stage, healthcheck=tuple(value[1:]))
            case "CMD":
                assert step.json
                return replace(stage, command=tuple(value))
            case "VOLUME" | "EXPOSE":
                pass
            case other:
                raise NotImplementedError(f"line {step.start_line}: {other}")
        return stage

    def _inside(self, stage: Stage, upper: Path, words: Sequence[str]) -> None:
        assert stage.user == "0:0", "steps of other users are not run here"
        root = upper.with_suffix(".root")
        outside = {"HOME": "/root", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELS}
        environment = {**outside, **stage.environment, **stage.arguments}
        in_namespaces(
            [
                *stage.mounted(root, upper=upper),
                f"mount -t proc proc {root}/proc",
                f"mount --bind /etc/resolv.conf {root}/etc/resolv.conf",
                f"mount --bind {self._wheels} {root}{WHEELS}",
                "exec "
                + shlex.join(["chroot", str(root), *clean(environment, stage.workdir), *words]),
            ]
        )

    def _copy(self, stage: Stage, upper: Path, step: dockerfile.Command) -> None:
        *sources, target = step.value
        root, source = upper.with_suffix(".root"), self._context
        mounts = stage.mounted(root, upper=upper)
        if step.flags:
            (flag,) = step.flags
            source = upper.with_suffix(".from")
            source.mkdir(exist_ok=True)
            mounts += self.stage(flag.removeprefix("--from=")).mounted(source)
        place = f"{root}{os.path.join(stage.workdir, target)}"  # noqa: PTH118  it may be absolute
        in_namespaces([*mounts, *(copied(source / one.strip("/"), place) for one in sources)])


def copied(source: Path, place: str) -> str:
    """The command that copies as COPY does: the content of a folder, or a file."""
    return (
        f"if [ -d {source} ]; then mkdir -p {place} && cp -a {source}/. {place}/; "
        f"else cp -a {source} {place}; fi"
    )


def in_namespaces(lines: Sequence[str], *names: str) -> None:
    """Run shell commands whose mounts nobody else sees, and which end with them.

    Raises:
        AssertionError: One failed; the message has what it wrote.
    """
    done = subprocess.run(
        ["unshare", "--mount", *names, "sh", "-euc", "\n".join(lines)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{lines[-1]}\n{done.stdout[-4000:]}"


def clean(environment: Mapping[str, str], workdir: str) -> list[str]:
    """The words that begin a command with this environment and nothing else."""
    return ["env", "-i", "-C", workdir, *(f"{name}={value}" for name, value in environment.items())]


def written_stages() -> dict[str, tuple[str, list[dockerfile.Command]]]:
    """Return the parent and the steps of each stage."""
    found: dict[str, tuple[str, list[dockerfile.Command]]] = {}
    name = None
    for step in dockerfile.parse_file(str(ROOT / "Dockerfile")):
        if step.cmd == "FROM":
            parent, _, name = step.value
            found[name] = (parent, [])
        elif name is not None:
            found[name][1].append(step)
    return found


def copy_context(folder: Path) -> None:
    """Copy what .dockerignore lets through."""
    everything, *lines = (ROOT / ".dockerignore").read_text().split()
    assert everything == "*"
    let_through = [line.removeprefix("!") for line in lines if line.startswith("!")]
    ignored = [line.removeprefix("**/") for line in lines if not line.startswith("!")]
    folder.mkdir()
    for name in let_through:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns(*ignored))
        else:
            shutil.copy(source, folder / name)


def bare_debian() -> Path:
    """Return the root folder of the Debian that ``debian:bookworm-slim`` is made from."""
    root, done = KEPT / "bookworm", KEPT / "bookworm.done"
    if not done.exists():
        shutil.rmtree(root, ignore_errors=True)
        KEPT.mkdir(parents=True, exist_ok=True)
        subprocess.run(["debootstrap", "--variant=minbase", "bookworm", root], check=True)
        done.touch()
    return root


def wheels(*locks: str) -> Path:
    """Return a folder with the files of the locks, from wherever pip gets them here.

    Markers are left out: Debian's Python may be another 3.11 than the one that runs this.
    """
    folder, every = KEPT / "wheels", KEPT / "every.lock"
    text = "".join((ROOT / lock).read_text() for lock in locks)
    every.write_text(re.sub(r" ; .*(?= \\$)", "", text, flags=re.MULTILINE))
    words = ["-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    words += ["--ignore-requires-python", "-d", str(folder), "-r", str(every)]
    done = subprocess.run([sys.executable, *words], check=False)
    hint = "no CPU build of torch? Set PIP_EXTRA_INDEX_URL to the TORCH_INDEX of the Dockerfile"
    assert done.returncode == 0, hint
    return folder
