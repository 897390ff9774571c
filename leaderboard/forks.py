"""Work shared out among processes that have everything in memory already, because they are forks of this one."""

import contextlib
import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable, Sequence


def each_in_a_fork(shares: Sequence[Callable[[], None]]) -> None:
    """Do all shares, the first in this process and each other in a fork of it; one after the other without forks.

    What a fork does must lie outside of memory, as a file does. A share that fails in its fork is done again here, so
    that its exception is raised here.
    """
    first, *others = shares
    forks = [_fork(share) for share in others] if sys.platform == "linux" else []
    try:
        first()
    finally:
        for fork in forks:
            fork.join()
    for place, share in enumerate(others):
        if not forks or forks[place].exitcode != 0:
            share()


def _fork(share: Callable[[], None]) -> multiprocessing.process.BaseProcess:
    fork = multiprocessing.get_context("fork").Process(target=_do, args=(share,), daemon=True)
    with warnings.catch_warnings():  # There may be threads, such as Arrow's; a share uses none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        fork.start()
    return fork


def _do(share: Callable[[], None]) -> None:
    with contextlib.suppress(BaseException):
        share()
        os._exit(0)
    os._exit(1)
