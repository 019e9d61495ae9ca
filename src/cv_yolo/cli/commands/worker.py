"""`cv-yolo worker FOLDER`: the child's end of a supervised training or prediction; not for people."""

import signal
from pathlib import Path

import click


@click.command(hidden=True)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def worker(folder: Path) -> int:
    """Do what FOLDER/request.json asks for."""
    from cv_yolo.container import Container

    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # it has nothing to clean up, and its supervisor waits for its exit
    return Container().serve_child(folder)
