"""Reports a run in progress: to ``metrics.jsonl``, to TensorBoard and to the terminal."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console

from training.progress import duration, progress_bar

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Monitor:
    """Writes the metrics of one run below ``folder``; a bar on a terminal, plain lines elsewhere.

    A run that was killed may have left lines for steps after ``start``. They are dropped, because
    those steps are done again.
    """

    def __init__(self, folder: Path, total: int, start: int, *, tensorboard: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "metrics.jsonl"
        _drop_after(path, start)
        self._file = path.open("a", encoding="utf-8")
        self._writer = _tensorboard(folder, start) if tensorboard else None
        self._total = total
        self.console = Console(highlight=False)
        self._progress = progress_bar(self.console)
        self._task = self._progress.add_task("training", total=total, completed=start)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()
        self._file.close()
        if self._writer is not None:
            self._writer.close()

    def advance(self, step: int) -> None:
        """Move the bar to ``step`` finished steps."""
        self._progress.update(self._task, completed=step)

    def record(self, step: int, metrics: Mapping[str, float], *, eta: float | None = None) -> None:
        """Write the metrics after ``step`` steps; ``eta``, in seconds, is shown but not written."""
        self._file.write(json.dumps({"step": step, **metrics}) + "\n")
        self._file.flush()
        if self._writer is not None:
            for name, value in metrics.items():
                self._writer.add_scalar(name, value, step)
        shown = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        if self.console.is_terminal:
            self._progress.update(self._task, completed=step, description=shown[:60])
        else:
            left = "" if eta is None else f"  left {duration(eta)}"
            self.say(f"step {step}/{self._total}  {shown}{left}")

    def say(self, text: str) -> None:
        """Print one line above the bar."""
        self._progress.console.print(text, soft_wrap=True, markup=False)


def _drop_after(path: Path, step: int) -> None:
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line)
        except (ValueError, KeyError, TypeError):
            continue  # the last line of a killed run may be cut off
    path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _tensorboard(folder: Path, start: int) -> "SummaryWriter":
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415

    return SummaryWriter(str(folder / "tensorboard"), purge_step=start)
