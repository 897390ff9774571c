"""Methods for a soak: each leaks, dawdles or fails in a way of its own, and one is honest."""

import os
import signal
import sys
import tempfile
import threading
import time

import numpy as np

from fourfold.suite import Method

KEPT = []


class Honest(Method):
    """Learns nothing."""

    task = "toy"

    def fit(self, train, budget):
        """Nothing."""

    def predict(self, query):
        return np.zeros(len(query.features))


class Leaky(Honest):
    """Keeps 64 MB, files in its scratch, in /tmp and in shared memory, descriptors and threads."""

    def fit(self, train, budget):
        KEPT.append(np.ones(8 << 20))
        for folder in (".", tempfile.gettempdir(), "/tmp", "/dev/shm"):
            try:
                with open(f"{folder}/left-{os.getpid()}", "wb") as file:
                    file.write(bytes(1 << 20))
            except OSError:
                continue
        KEPT.extend(open(os.devnull) for _ in range(200))  # noqa: SIM115
        for _ in range(20):
            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()


class Forking(Honest):
    """Leaves daemons behind."""

    def fit(self, train, budget):
        for _ in range(3):
            if os.fork() == 0:
                os.setsid()
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                time.sleep(600)


class Slow(Honest):
    """Takes its time."""

    def fit(self, train, budget):
        time.sleep(0.5)


class Endless(Honest):
    """Does not come to an end."""

    def predict(self, query):
        while True:
            pass


class Raising(Honest):
    """Fails, and takes with it what it made."""

    def fit(self, train, budget):
        made = [np.ones(1 << 20) for _ in range(8)]
        raise RuntimeError(f"no idea what to do with {len(made)} arrays")


class Crashing(Honest):
    """Ends by a signal."""

    def fit(self, train, budget):
        os.kill(os.getpid(), signal.SIGSEGV)


class Chatty(Honest):
    """Prints megabytes, and leaves without a word."""

    def fit(self, train, budget):
        for _ in range(4000):
            print("x" * 1000)
        sys.stdout.flush()
        os._exit(3)


class Wrong(Honest):
    """Answers what was not asked."""

    def predict(self, query):
        return np.full(3, np.nan)
