"""Encodes masks as Brush RLE and back: a bit stream of runs, most significant bit first.

======= ======================= ==================================================================
bits    field                   value
======= ======================= ==================================================================
32      words                   height × width × 4: every pixel is four equal words (RGBA)
5       word size − 1           7: words are bytes
4 × 4   length-field sizes − 1  2, 3, 7, 15: lengths take 3, 4, 8 or 16 bits
1       flag of a record        1: one word, repeated; 0: as many words as the length says
2       size of a record        which of the four sizes its length takes
3 … 16  length of a record − 1
8 × n   words of a record       n = 1 with flag 1, else the length
======= ======================= ==================================================================

Records follow until all words are covered, then zero bits up to a whole byte, as Label Studio's
page writes them. Its Python SDK adds a byte of zeros to a stream that ends on a whole byte. With
that, the page would store an accepted mask in other bytes than were answered.
"""

from collections.abc import Sequence
from operator import index

import numpy as np
import numpy.typing as npt

from dynamite.errors import InvalidInputError

MAX_PIXELS = 2**28
"""Pixels of the largest mask decoded: a stream of 200 kB can claim more than a server's memory."""

_CHANNELS = 4
_LENGTH_BITS = np.array([3, 4, 8, 16])
_FORMAT = 7 << 16 | 0x237F  # word size − 1, then the four sizes − 1
_FORMAT_BITS = 21
_HEADER_BITS = 32 + _FORMAT_BITS
_LONGEST = 2**16 // _CHANNELS  # pixels of the longest record

# Bits of a record by its first three bits (flag, size); 0 if its length must be read first.
_RECORD_BITS = [0, 0, 0, 0, *(3 + _LENGTH_BITS + 8).tolist()]
_MAX_WORD_BITS = 27  # a word in a record of its own, of the longest kind

Ints = npt.NDArray[np.int64]


def encode(mask: npt.NDArray[np.bool_] | npt.NDArray[np.uint8]) -> list[int]:
    """Return the Brush RLE of a mask as a list of bytes, for JSON.

    Args:
        mask: (H, W) bool or uint8. True becomes 255; uint8 values are kept, so that an antialiased
            mask survives.

    Raises:
        InvalidInputError: not an array, not two-dimensional, empty, over 2³⁰ pixels, or neither
            bool nor uint8.
    """
    if not isinstance(mask, np.ndarray):
        raise InvalidInputError(f"a mask is a numpy array, but this is a {type(mask).__name__}")
    if mask.ndim != 2 or mask.dtype not in (np.bool_, np.uint8):
        raise InvalidInputError(
            f"a mask is H×W of bool or uint8, but this one is {mask.shape} of {mask.dtype}"
        )
    if not 0 < mask.size * _CHANNELS < 2**32:
        raise InvalidInputError(f"a mask of {mask.shape} pixels cannot be written as Brush RLE")
    pixels = np.ascontiguousarray(mask).view(np.uint8).reshape(-1)
    last = np.append(np.flatnonzero(pixels[1:] != pixels[:-1]), pixels.size - 1)
    values = pixels[last] * np.uint8(255 if mask.dtype == np.bool_ else 1)
    codes, sizes = _records(np.diff(last, prepend=-1), values)
    header = np.array([mask.size * _CHANNELS, _FORMAT], np.uint64)
    stream = _pack(np.append(header, codes), np.append([32, _FORMAT_BITS], sizes))
    return list(stream)


def decode(rle: Sequence[int] | bytes, shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return the alpha channel of a Brush RLE stream, (H, W) uint8.

    Bytes after the last word are ignored, as by Label Studio's page. Nothing as large as the mask
    is allocated before the checks.

    Args:
        rle: bytes, or a list of numbers from 0 to 255.
        shape: (H, W) of the mask.

    Raises:
        InvalidInputError: not a list of bytes, not a shape, another format, a stream for another
            shape, one that ends early or runs over the end of the mask, or more than
            ``MAX_PIXELS`` pixels.
    """
    try:
        height, width = map(index, shape)
    except (TypeError, ValueError):
        raise InvalidInputError(f"shape={shape!r} is not (H, W) in whole pixels") from None
    pixels = height * width
    if min(height, width) < 1 or pixels > MAX_PIXELS:
        raise InvalidInputError(f"cannot decode a mask of {height}×{width} pixels")
    data = _as_bytes(rle)
    if len(data) * 8 < _HEADER_BITS:
        raise InvalidInputError(f"Brush RLE of {len(data)} bytes is cut off in its header")
    header = int.from_bytes(data[:7]) >> 3
    words, stated = pixels * _CHANNELS, header >> _FORMAT_BITS
    if header & (1 << _FORMAT_BITS) - 1 != _FORMAT:
        raise InvalidInputError(
            f"Brush RLE header {data[:7].hex()} names another word size or other length sizes than "
            "8 and 3, 4, 8, 16: this is not a mask of Label Studio"
        )
    if stated != words:
        raise InvalidInputError(
            f"Brush RLE of {stated} words does not fit a mask of {height}×{width} pixels "
            f"({words} words)"
        )
    lengths, values = _runs(data[: (_HEADER_BITS + words * _MAX_WORD_BITS) // 8 + 1], words)
    # Pixel p is word 4p + 3, so the first n words hold n // 4 whole pixels.
    pixel_counts = np.diff(np.cumsum(lengths) // _CHANNELS, prepend=0)
    return np.repeat(values, pixel_counts).reshape(height, width)


def _as_bytes(rle: Sequence[int] | bytes) -> bytes:
    if not isinstance(rle, bytes | bytearray | list | tuple):
        raise InvalidInputError(f"Brush RLE is a list of bytes, but this is a {type(rle).__name__}")
    try:
        return bytes(rle)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"Brush RLE is a list of numbers from 0 to 255: {error}") from error


def _records(lengths: Ints, values: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint64], Ints]:
    """Return bit codes, and their sizes in bits, of runs of ``lengths`` pixels of ``values``.

    A pixel is four words, so all records have flag 1 and at least four words.
    """
    kinds = (lengths > 2).astype(np.int64) + (lengths > 4) + (lengths > 64)
    if lengths.max() > _LONGEST:
        # All records of a run over the longest keep its size, even a short remainder.
        parts = (lengths - 1) // _LONGEST + 1
        remainders = lengths - (parts - 1) * _LONGEST
        lengths = np.full(parts.sum(), _LONGEST)
        lengths[np.cumsum(parts) - 1] = remainders
        values, kinds = np.repeat(values, parts), np.repeat(kinds, parts)
    length_bits = _LENGTH_BITS[kinds]
    codes = (kinds | 4) << length_bits | (lengths * _CHANNELS - 1)
    return (codes << 8 | values).astype(np.uint64), length_bits + 11


def _pack(codes: npt.NDArray[np.uint64], sizes: Ints) -> bytes:
    """Concatenate ``codes`` of ``sizes`` bits, at most 32 each, and append zero bits up to a byte.

    Each code starts in one of the stream's 64-bit words and may run over into the next. In every
    word except perhaps the last a code starts, and at most one runs over into it.
    """
    ends = np.cumsum(sizes)
    starts = ends - sizes
    homes = starts >> 6
    over = (starts & 63) + sizes - 64  # bits that belong to the next word, if positive
    stream = np.zeros(int(ends[-1]) // 64 + 1, np.uint64)
    spilled = np.flatnonzero(over > 0)
    kept = codes << np.maximum(-over, 0).astype(np.uint64)
    kept[spilled] = codes[spilled] >> over[spilled].astype(np.uint64)
    firsts = np.flatnonzero(np.diff(homes, prepend=-1))
    stream[: firsts.size] = np.bitwise_or.reduceat(kept, firsts)
    stream[homes[spilled] + 1] |= codes[spilled] << (64 - over[spilled]).astype(np.uint64)
    return stream.astype(">u8").tobytes()[: -(-int(ends[-1]) // 8)]


def _runs(data: bytes, words: int) -> tuple[Ints, npt.NDArray[np.uint8]]:
    """Return lengths, in words, and values of the runs that make up the first ``words`` words."""
    starts = np.array(_record_starts(data), np.int64)
    padded = np.frombuffer(data + bytes(4), np.uint8).astype(np.int64)
    heads = _bits(padded, starts, 3)
    length_bits = _LENGTH_BITS[heads & 3]
    lengths = _bits(padded, starts + 3, 16) >> (16 - length_bits)
    lengths += 1
    value_starts = starts + 3 + length_bits
    literal = heads < 4
    if literal.any():
        # A literal record of n words is n runs of one word.
        counts = np.where(literal, lengths, 1)
        lengths = np.repeat(np.where(literal, 1, lengths), counts)
        nth = np.arange(lengths.size) - np.repeat(np.cumsum(counts) - counts, counts)
        value_starts = np.repeat(value_starts, counts) + 8 * nth
    ends = np.cumsum(lengths)
    needed = int(np.searchsorted(ends, words)) + 1
    if needed > ends.size:
        have = int(ends[-1]) if ends.size else 0
        raise InvalidInputError(f"Brush RLE is cut off: it holds {have} of {words} words")
    if ends[needed - 1] != words:
        raise InvalidInputError(
            f"the last run of the Brush RLE ends at word {ends[needed - 1]}, but the mask has "
            f"{words}"
        )
    return lengths[:needed], _bits(padded, value_starts[:needed], 8).astype(np.uint8)


def _record_starts(data: bytes) -> list[int]:
    """Return the bit positions of all complete records.

    Where a record starts depends on the record before, so this is the codec's only loop. It just
    adds: the size that a record would have is computed beforehand for every position.
    """
    octets = np.frombuffer(data + b"\0", np.uint8).astype(np.uint16)
    # Eight positions at a time: a byte and two bits of the next hold the heads of all of them.
    windows = octets[:-1] << 2 | octets[1:] >> 6
    heads = np.arange(1 << 10)[:, None] >> np.arange(7, -1, -1) & 7
    record_bits = np.array(_RECORD_BITS, np.uint8)[heads][windows].tobytes()
    length_bits = _LENGTH_BITS.tolist()
    end = len(record_bits)
    starts: list[int] = []
    append = starts.append
    position = _HEADER_BITS
    while position < end:
        size = record_bits[position]
        if not size:
            byte, offset = divmod(position, 8)
            window = int.from_bytes(data[byte : byte + 4].ljust(4, b"\0")) << offset
            field = length_bits[window >> 29 & 3]
            length = (window >> 29 - field & (1 << field) - 1) + 1
            size = 3 + field + 8 * length
        if position + size > end:
            break
        append(position)
        position += size
    return starts


def _bits(data: Ints, positions: Ints, count: int) -> Ints:
    """Read ``count`` bits, at most 16, at each of ``positions`` of a stream, a byte per element."""
    byte, offset = positions >> 3, positions & 7
    window = data[byte] << 16 | data[byte + 1] << 8 | data[byte + 2]
    field: Ints = window >> (24 - count - offset) & (1 << count) - 1
    return field
