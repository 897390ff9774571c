"""Every parser of what an outsider supplies keeps its promise, whatever it is given: see ``targets``."""

import os
import resource
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from targets import TARGETS

ROOM = 2 << 30
"""Bytes that a parser may take beyond what is there."""


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """Memory has an end here, as for a worker in a campaign."""
    if sys.platform != "linux":
        yield
        return
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (used + ROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_DATA, before)


@st.composite
def varied(draw: Callable[[Any], Any], name: str) -> bytes:
    """A seed with a few places changed, taken out, doubled or cut off; now and then any bytes at all."""
    seeds = TARGETS[name].seeds()
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 6))):
        at, size = draw(st.integers(0, len(data))), draw(st.integers(0, 16))
        change = draw(st.sampled_from(("bytes", "number", "out", "twice", "cut", "splice")))
        if change == "bytes":
            data[at : at + size] = draw(st.binary(max_size=16))
        elif change == "number":
            number = draw(st.sampled_from((0, 1, 127, 255, 2**15, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1)))
            width = 4 if number < 2**32 else 8
            data[at : at + width] = number.to_bytes(width, draw(st.sampled_from(("little", "big"))))
        elif change == "out":
            del data[at : at + size]
        elif change == "twice":
            data[at:at] = data[at : at + size] * draw(st.integers(1, 50))
        elif change == "cut":
            del data[at:]
        else:
            other = draw(st.sampled_from(seeds))
            data[at:] = other[min(at, len(other)) :]
    return bytes(data)


@pytest.mark.parametrize("name", [name for name, target in TARGETS.items() if target.tries])
def test_keeps_its_promise(name: str) -> None:
    target = TARGETS[name]
    target.parse(b"")
    for seed in target.seeds():
        target.parse(seed)

    @settings(max_examples=target.tries, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(varied(name))
    def holds(data: bytes) -> None:
        target.parse(data)

    holds()
