"""One cell: what is run once. Its identity is the hash of all that shapes its result, and of nothing else."""

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fourfold.suite.method import Budget, Value

PROTOCOL = "3"
"""Rises when the guest, the boundary or the shared metrics change what a result means."""

STATUSES = ("ok", "failed", "timeout", "out-of-memory", "invalid-output", "refused", "lost")


def canonical(value: Any) -> str:
    """JSON with one spelling for one value: sorted keys, no blanks, infinities as text."""
    return json.dumps(_spelled(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _spelled(value: Any) -> Any:
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return int(value) if value.is_integer() else value
    if isinstance(value, dict):
        return {str(name): _spelled(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_spelled(each) for each in value]
    return value


@dataclass(frozen=True)
class Cell:
    """One (task, dataset, method, parameters, budget, seed).

    dataset_checksum and method_digest name the bytes; draw names the problem (see ``Draw.digest``), so that cells made
    under different secrets are different cells. method is the name people read; it is no part of the identity.
    """

    task: str
    task_version: str
    dataset: str
    dataset_checksum: str
    draw: str
    method: str
    method_digest: str
    parameters: tuple[tuple[str, Value], ...]
    budget: Budget
    seed: int

    @cached_property
    def id(self) -> str:
        """SHA-256 over the canonical JSON of everything that shapes the result, in hexadecimal."""
        shaping = dataclasses.asdict(self) | {"protocol": PROTOCOL, "parameters": dict(self.parameters)}
        del shaping["method"]
        return hashlib.sha256(canonical(shaping).encode()).hexdigest()

    @property
    def title(self) -> str:
        """The method as it is selected: ``scorecard[strength=0.1]``."""
        return selector(self.method, dict(self.parameters))

    def row(self) -> dict[str, Any]:
        """The columns that every row of this cell carries."""
        return {
            "cell": self.id,
            "task": self.task,
            "dataset": self.dataset,
            "method": self.method,
            "method_digest": self.method_digest,
            "parameters": canonical(dict(self.parameters)),
            "epsilon": float(self.budget.epsilon),
            "delta": self.budget.delta,
            "seed": self.seed,
        }


def selector(name: str, parameters: dict[str, Value]) -> str:
    """``name[a=1,b=x]``, as the command line takes it; the bare name where there are no parameters."""
    spelled = {
        key: value if isinstance(value, str) else canonical(value).strip('"') for key, value in parameters.items()
    }
    inside = ",".join(f"{key}={value}" for key, value in sorted(spelled.items()))
    return f"{name}[{inside}]" if inside else name
