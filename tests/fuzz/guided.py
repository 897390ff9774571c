"""Fuzz one target, guided by what of this package's code an input reaches: ``guided.py TARGET --minutes N``.

Needs atheris (``pip install atheris``). Starts from the target's seeds, or goes on from --corpus; prints libFuzzer's
account of executions and coverage, and the first input that breaks the target's promise, kept beside the corpus. What
takes longer than 20 s (120 s, of what is too slow for CI) or more than 2 GiB is such an input as well.
"""

import argparse
import hashlib
import sys
import tempfile
from pathlib import Path

import atheris


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--corpus", type=Path, help="a folder of inputs, kept and added to")
    given = parser.parse_args()
    with atheris.instrument_imports(include=["fourfold", "pydicom", "json", "zipfile", "tomllib", "csv"]):
        import targets
    chosen = targets.TARGETS[given.target]
    corpus = given.corpus or Path(tempfile.mkdtemp(prefix=f"{given.target}-"))
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in chosen.seeds():
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    seconds = 20 if chosen.tries else 120
    limits = [f"-timeout={seconds}", "-rss_limit_mb=2048", f"-max_total_time={round(60 * given.minutes)}"]
    longest = 4 * max(map(len, chosen.seeds()))
    found = f"-artifact_prefix={corpus}.found-"
    atheris.Setup([sys.argv[0], *limits, f"-max_len={longest}", found, "-print_final_stats=1", str(corpus)],
                  chosen.parse)  # fmt: skip
    atheris.Fuzz()


if __name__ == "__main__":
    main()
