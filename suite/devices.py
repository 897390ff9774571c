"""The GPUs of this machine."""

import os
import shutil
import subprocess


def gpus() -> list[str]:
    """The NVIDIA GPUs that the driver tells of, each by name and memory, as far as CUDA_VISIBLE_DEVICES shows them.

    Their names come from ``nvidia-smi``: torch would take seconds to import, and is an extra.
    """
    tool = shutil.which("nvidia-smi")
    if not tool:
        return []
    query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return []
    found = said.stdout.strip().splitlines() if said.returncode == 0 else []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return found
    return found[: sum(each.strip() not in ("", "-1") for each in visible.split(","))]
