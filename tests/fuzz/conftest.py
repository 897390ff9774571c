"""Makes the targets and their seeds importable: the fuzzer that runs by hand finds them beside itself."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
