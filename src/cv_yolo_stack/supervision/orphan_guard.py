"""Stops what is left of a local stack when its supervisor dies, however it dies; started with `python -m`.

The supervisor holds the other end of our input. Its death, even by `kill -9`, closes the input, and then every
process with the stack's mark is stopped. Small on purpose: it runs as long as the servers do.
"""

import os
import sys
from pathlib import Path
from typing import Final

from cv_yolo_stack.supervision.processes import MARK, end, processes_of

GRACE_S: Final = 5.0


def main() -> None:
    """Wait for the end of our input, then stop the stack."""
    sys.stdin.buffer.read()
    end(processes_of(Path(os.environ[MARK])), grace_s=GRACE_S)


if __name__ == "__main__":
    main()
