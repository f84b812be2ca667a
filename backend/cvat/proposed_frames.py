"""Remembers on which frames of a task objects were proposed, so that it is done once.

What a person deletes of the proposals must not come back, and CVAT keeps no trace of it.
"""

from pathlib import Path


class ProposedFrames:
    """A file of lines: when the task was created, then the numbers of its frames.

    A task of another CVAT with this number was created at another time, and begins anew.
    """

    def __init__(self, path: Path, created: str) -> None:
        self._path = path
        self._created = created
        lines = _lines(path)
        self._is_known = lines[:1] == [created]
        self._frames = set(map(int, filter(str.isdecimal, lines[1:]))) if self._is_known else set()

    def __contains__(self, frame: int) -> bool:
        return frame in self._frames

    def add(self, frame: int) -> None:
        """Remember a frame.

        Raises:
            OSError: the file cannot be written.
        """
        if self._is_known:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{frame}\n")
        else:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(f"{self._created}\n{frame}\n", encoding="utf-8")
            self._is_known = True
        self._frames.add(frame)


def _lines(path: Path) -> list[str]:
    """Return the lines that were written whole."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return text.split("\n")[:-1]
