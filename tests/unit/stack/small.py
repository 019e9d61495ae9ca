"""Small servers for tests of those who keep servers running, and a supervisor of two: `python -m … FOLDER`."""

import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.configuration.folder import StackFolder
from cv_yolo_stack.servers.service import Service, clean_environment

SERVE = """
import http.server, sys
print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
CRASH = "import sys; print('no luck'); sys.exit(3)"
SLEEP = "import time; time.sleep(600)"
IGNORES_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
)
WITH_WORKER = """
import subprocess, sys, time
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(worker.pid, flush=True)
time.sleep(600)
"""


def usable() -> None:
    """What is asked of a server that is usable from the start."""


def unusable() -> None:
    """What is asked of a server that never is."""
    raise ServiceUnavailableError("it does not answer")


def answers_at(port: int) -> Callable[[], None]:
    """A server is usable once it answers there."""

    def use() -> None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError as error:
            raise ServiceUnavailableError(f"nothing listens at {port}") from error

    return use


def a_service(
    code: str = SLEEP,
    *arguments: str,
    name: str = "small",
    use: Callable[[], None] = usable,
    needs: tuple[str, ...] = (),
    ports: Mapping[str, int] | None = None,
    **more: float,
) -> Service:
    """A server that is a few lines of Python."""
    return Service(
        name=name,
        title=name.title(),
        url="http://127.0.0.1",
        use=use,
        command=(sys.executable, "-u", "-c", code, *arguments),
        environment=clean_environment(),
        needs=needs,
        ports=ports or {},
        **more,
    )


def there(door: Path) -> Callable[[], None]:
    """A server is usable once that file is there."""
    return lambda: usable() if door.exists() else unusable()


def supervise_two(folder: str, second: str) -> None:
    """What stands for `cv-yolo supervise`: a first server, and a second one that needs it."""
    from cv_yolo_stack.supervision.supervisor import supervise

    guarded = f"import pathlib, sys, time; time.sleep(600 if pathlib.Path({folder!r}, 'door').exists() else 0)"
    code, use = {
        "sleep": (SLEEP, usable),
        "crash": (CRASH, unusable),
        "never": (SLEEP, unusable),
        "door": (guarded, there(Path(folder) / "door")),
    }[second]
    services = (a_service(name="first"), a_service(code, name="second", use=use, needs=("first",)))
    supervise(services, StackFolder(root=Path(folder)))


if __name__ == "__main__":
    supervise_two(*sys.argv[1:])
