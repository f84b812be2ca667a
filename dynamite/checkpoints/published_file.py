"""Reads the file of a published network: a ``torch.save`` dictionary with the weights as "model".

The file is a pickle, which could run any program when loaded carelessly. torch's unpickler for
weights accepts tensors and plain containers only.
"""

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dynamite.errors import CheckpointError

STARTS = (b"PK\x03\x04", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19")
"""First bytes of ``torch.save`` files: of a zip archive or, before PyTorch 1.6, a magic number."""


def read_published(path: Path) -> dict[str, Tensor]:
    """Return the weights under their published names.

    Raises:
        CheckpointError: the file is damaged, holds anything but weights and plain values, or has no
            "model".
    """
    is_zip = zipfile.is_zipfile(path)
    if is_zip:
        _require_plain_size(path)
    try:
        # A file on disk takes a length that it states for real, and room for it beforehand.
        source = path if is_zip else io.BytesIO(path.read_bytes())
        content = torch.load(source, map_location="cpu", weights_only=True, mmap=is_zip)
    except Exception as error:  # a broken pickle can raise anything
        raise CheckpointError(f"{path} {_explain(error)}") from error
    return _weights(path, content)


def _require_plain_size(path: Path) -> None:
    """Refuse compressed archives, which may unpack to any size: torch does not compress."""
    try:
        with zipfile.ZipFile(path) as archive:
            inside = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise CheckpointError(f"{path} is a damaged archive ({error}): copy it again") from error
    if inside > path.stat().st_size:
        raise CheckpointError(
            f"{path} is a compressed archive of {inside} bytes, not a file of torch.save"
        )


def _explain(error: Exception) -> str:
    foreign = re.search(r"GLOBAL ([\w.]+\.\w+)", str(error))
    if foreign:
        return (
            f"was refused: it holds more than weights ({foreign[1]}). Nothing of it was executed. "
            'If you trust its origin, save it again as {"model": state_dict} with tensors only'
        )
    reason = (str(error).splitlines() or [""])[0][:200]
    return f"is damaged ({type(error).__name__}: {reason}): copy or download it again"


def _weights(path: Path, content: Any) -> dict[str, Tensor]:
    weights = content.get("model") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not weights:
        found = sorted(map(str, content))[:8] if isinstance(content, dict) else type(content)
        raise CheckpointError(f'{path} has no weights under "model"; it holds {found}')
    for name, value in weights.items():
        if not (isinstance(name, str) and isinstance(value, Tensor) and _is_plain(value)):
            raise CheckpointError(f'{path}: {name!r} under "model" is no weight')
    return dict(weights)


def _is_plain(value: Tensor) -> bool:
    return value.layout == torch.strided and not (value.is_quantized or value.is_meta)
