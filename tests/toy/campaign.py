"""A campaign in a process of its own, for tests that kill it: ``campaign.py BACKEND HOME FOLDER CELLS``.

HOME holds the toy package; FOLDER takes results; CELLS is JSON: a list of (method, dataset, number of seeds). Prints a
line an event, its kind, method and reason, and for Ray the address of its control store.
"""

import json
import sys
from pathlib import Path

from fourfold.suite import cluster, local, plan
from fourfold.suite.evaluate import Job
from fourfold.suite.events import Event, Finished, Retried, Setting

KEY = b"0123456789abcdef"
BACKENDS = {"serial": local.serial, "process": local.process, "ray": cluster.run}


def jobs(home: str, cells: list[tuple[str, str, int]]) -> list[Job]:
    """The jobs of these cells."""
    requests = [plan.Request(["toy"], [dataset], [f"{home}/toy_methods.py:{method}"], range(seeds), time_limit=90)
                for method, dataset, seeds in cells]
    return [job for request in requests for job in plan.jobs(request, KEY, Path(home))]


def told(event: Event) -> str:
    """An event in a line."""
    cell = event.result.cell if isinstance(event, Finished) else event.cell
    reason = event.result.status if isinstance(event, Finished) else event.reason if isinstance(event, Retried) else ""
    return f"{type(event).__name__} {cell.method} {reason}"


def main(backend: str, home: str, place: str, cells: str) -> None:
    """Run the campaign with two workers."""
    folder, announced = Path(place), backend != "ray"
    setting = Setting(folder / "results", folder, folder / "scratch", KEY, lambda cell: 1.0, workers=2)
    for event in BACKENDS[backend](jobs(home, json.loads(cells)), setting):
        if not announced:
            import ray

            print("Address", ray.get_runtime_context().gcs_address, flush=True)
            announced = True
        print(told(event), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
