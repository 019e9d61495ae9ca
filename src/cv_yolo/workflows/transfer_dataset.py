"""Keep a revision of a data set where others can pull it, and fetch the recorded one."""

from pathlib import Path

from cv_yolo.errors import DatasetError
from cv_yolo.ports.datasets import DatasetStore, OnTransfer, PulledDataset, PushedDataset


def push_dataset(
    root: Path, store: DatasetStore, *, name: str | None, shards: bool | None, on_progress: OnTransfer
) -> PushedDataset:
    """Record the folder as it is now, and upload what the remote lacks.

    What a recipe makes is uploaded as recorded, since the recipe's run records it.
    """
    recipe = store.recipe(root)
    if recipe is not None and shards:
        raise DatasetError(
            f"{root}: made by the stage {recipe} of dvc.yaml, whose output is kept as single files",
            hint="leave out --shards, or push a copy of the folder",
        )
    if recipe is not None and store.recorded_hash(root) is None:
        raise DatasetError(f"{root}: DVC has recorded no revision of it", hint=f"`dvc repro {recipe}` records one")
    return store.push(root, name=name, shards=shards, on_progress=on_progress)


def pull_dataset(root: Path, store: DatasetStore, *, out: Path | None, on_progress: OnTransfer) -> PulledDataset:
    """Fetch the recorded revision; raises `DatasetError` where none is recorded, or it was never pushed."""
    if store.recorded_hash(root) is None:
        raise DatasetError(f"{root}: no revision of it is recorded", hint=f"`cv-yolo data push {root}` records one")
    pulled = store.pull(root, out=out, on_progress=on_progress)
    if pulled is None:
        raise DatasetError(
            f"{root}: neither DVC's cache nor its remote has the recorded revision",
            hint="`cv-yolo data push`, on a machine that has it",
        )
    return pulled
