"""`cv-yolo worker`: the child's end of a supervised training or prediction; not for people."""

import signal
from pathlib import Path

import click


@click.command(hidden=True)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
@click.option("--server", "descriptor", type=int, help="Fork a worker for each job that comes on this descriptor.")
@click.option("--listen", "address", type=click.Path(path_type=Path), help="Serve jobs at this address of a socket.")
def worker(folder: Path | None, descriptor: int | None, address: Path | None) -> int:
    """Do what FOLDER/request.json asks for."""
    from cv_yolo.container import Container, serve_jobs

    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # it has nothing to clean up, and its supervisor waits for its exit
    if folder is None:
        serve_jobs(descriptor=descriptor, address=address)
    return Container().serve_child(folder)
