"""Makes broken input of good samples, and checks what becomes of it: a value or the right error.

``FUZZ_EXAMPLES=20000`` tries so many, different ones each time; the suite tries the same few.
"""

import copy
import os
import resource
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

MEGABYTE = 2**20
_ASKED = os.environ.get("FUZZ_EXAMPLES")


def examples(number):
    """Settings of a test that tries so many, or as many as are asked for."""
    return settings(
        max_examples=int(_ASKED or number),
        derandomize=not _ASKED,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)
KINDS = ("bit", "byte", "number", "cut", "double", "splice", "end", "token")


@st.composite
def broken(draw, samples, tokens=(b"",)):
    """Bytes: a sample with one to four places changed, most often near its beginning."""
    data = bytearray(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(1, 4))):
        if not data:
            break
        last = len(data) - 1
        at = draw(st.integers(0, min(last, 64)) | st.integers(0, last))
        kind, length = draw(st.sampled_from(KINDS)), draw(st.integers(1, 40))
        if kind == "bit":
            data[at] ^= 1 << length % 8
        elif kind == "byte":
            data[at] = draw(st.integers(0, 255))
        elif kind == "number":
            size, order = draw(st.sampled_from((1, 2, 4))), draw(st.sampled_from(("big", "little")))
            number = draw(st.sampled_from(NUMBERS)) % 256**size
            data[at : at + size] = number.to_bytes(size, order)
        elif kind == "cut":
            del data[at : at + length]
        elif kind == "double":
            data[at:at] = data[at : at + length]
        elif kind == "splice":
            data[at : at + length] = draw(st.sampled_from(samples))[at : at + length]
        elif kind == "end":
            del data[at:]
        else:
            data[at:at] = draw(st.sampled_from(tokens))
    return bytes(data)


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


ODD = (
    *(None, True, False, 0, -1, 1, 1.5, 2**31, 2**63, -(10**30), 10**400, 1e308, 1e-320),
    *(
        "",
        "0",
        "-1",
        "a" * 5000,
        "\0",
        "\ud83d\ude00",
        "$",
        "$a[0].b",
        "../..",
        "data:,",
        "{{idx}}",
    ),
    *([], {}, [[]], [None], [{}], {"id": []}, {"": ""}, [0] * 300, nested(60)),
)


def places(value, path=()):
    """The path of each node of a JSON value; of a long list only some."""
    yield path
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
        inner = inner if len(inner) < 20 else inner[:: len(inner) // 10]
    else:
        inner = []
    for key, one in inner:
        yield from places(one, (*path, key))


@st.composite
def broken_json(draw, samples):
    """A JSON value: a sample with one to four of its nodes replaced, removed or repeated."""
    value = copy.deepcopy(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(list(places(value))))
        new = copy.deepcopy(draw(st.sampled_from(ODD)))
        if not path:
            if draw(st.integers(0, 9)) == 0:
                value = new
            continue
        holder = value
        for key in path[:-1]:
            holder = holder[key]
        kind = draw(st.sampled_from(("replace", "replace", "remove", "repeat", "move")))
        if kind == "remove":
            del holder[path[-1]]
        elif kind == "repeat" and isinstance(holder, list):
            holder.insert(path[-1], copy.deepcopy(holder[path[-1]]))
        elif kind == "move":
            source = value
            for key in draw(st.sampled_from(list(places(value)))):
                source = source[key]
            holder[path[-1]] = copy.deepcopy(source)
        else:
            holder[path[-1]] = new
    return value


@contextmanager
def at_most(megabytes):
    """Let this process take so much more memory during the block, and no more."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + megabytes * MEGABYTE, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def ends_well(call, *errors, megabytes=256):
    """Call; return the value or the documented error, which no lack of memory has caused."""
    try:
        with at_most(megabytes):
            return call()
    except errors as error:
        cause = error
        while cause is not None:
            lacks_memory = isinstance(cause, MemoryError) or "nsufficient memory" in str(cause)
            assert not lacks_memory, f"it takes more than {megabytes} MB"
            cause = cause.__cause__
        return error
