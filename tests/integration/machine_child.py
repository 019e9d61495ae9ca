"""One machine at a register: `python -m tests.integration.machine_child ROOT MODEL` obeys the orders on its input."""

import sys
from pathlib import Path

from benchmarks.register_processes import serve
from cv_yolo.settings import Settings

if __name__ == "__main__":
    serve(Settings(root=Path(sys.argv[1])), sys.argv[2], sys.stdin, sys.stdout)
