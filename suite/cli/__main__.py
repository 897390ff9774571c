"""``python -m fourfold.suite.cli``."""

from fourfold.suite.cli import main

main()
