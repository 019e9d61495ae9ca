"""DVC behind the ports `DatasetStore` and `DatasetRemote`.

Its command line runs recipes and puts data in their place, a child process of ours transfers. Each is given the
server's remote. The object store's bucket as DVC's remote is in the home's own configuration (`remote.py`).
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from cv_yolo.adapters.dvc.command import Attended, DvcCommand
from cv_yolo.adapters.dvc.directory_hash import directory_hash
from cv_yolo.adapters.dvc.failures import NEVER_KEPT, NOT_HERE, errors_in, failed, failed_transfer, last_line
from cv_yolo.adapters.dvc.records import (
    RECORDS,
    DatasetRecord,
    read_yaml,
    record_beside,
    record_from,
    recorded_outputs,
)
from cv_yolo.adapters.dvc.remote import HomeRemote
from cv_yolo.domain.stack import ChangeKind, ObjectStoreAddress
from cv_yolo.errors import DatasetError
from cv_yolo.ports.datasets import OnTransfer, PulledDataset, PushedDataset, TransferProgress

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _unseen(progress: TransferProgress) -> None:
    """Show no progress."""


class DvcStore:
    """The DVC project in `root` (with `dvc.yaml` and `.dvc/`); without one, nothing is recorded.

    Only what belongs to this project is pulled or made: not what lies elsewhere, or in another project, unless this
    project has recorded it from there.
    """

    def __init__(
        self,
        *,
        root: Path,
        environment: Mapping[str, str],
        attended: Attended | None = None,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._root = root
        self._dvc = DvcCommand(root=root, environment=environment, attended=attended or Attended())
        self._remote = HomeRemote(project=root / ".dvc", environment=environment, report=report)

    def pull(self, root: Path, *, out: Path | None = None, on_progress: OnTransfer = _unseen) -> PulledDataset | None:
        """Fetch the recorded revision from cache or remote; None where none is recorded, or it was never pushed.

        Raises `ServiceUnavailableError` where the remote does not answer or refuses our key, `DatasetError` with DVC's
        own words for every other failure.
        """
        record = None if self._is_ours(root) else record_from(self._root, root.resolve())
        if record is None and (self.recorded_hash(root) is None or not self._is_ours(root)):
            return None
        folder = root if record is None else record.folder
        target = out or (None if record is None else root)
        name = self._relative(folder)
        request = {"do": "pull", "folder": name, "out": None if target is None else str(target)}
        answer = self._transfer(request, on_progress, f"{name}: cannot be pulled", "pull")
        if not answer["found"]:
            return None
        if target is None and not _is_sharded(folder) and not self._checked_out(folder):
            return None
        return PulledDataset(
            folder=target or folder,
            dvc_hash=answer["hash"],
            files=answer["files"],
            bytes=answer["bytes"],
            downloaded_objects=answer["downloaded_objects"],
            downloaded_bytes=answer["downloaded_bytes"],
            remote=answer["remote"],
        )

    def push(
        self,
        root: Path,
        *,
        name: str | None = None,
        shards: bool | None = None,
        on_progress: OnTransfer = _unseen,
    ) -> PushedDataset:
        """Record the folder as it is now, and keep it on the remote; what a stage makes is recorded by `dvc repro`."""
        if not (self._root / ".dvc").is_dir():
            raise DatasetError(
                f"{self._root}: keeps no revisions of data: there is no `.dvc`",
                hint="`cv-yolo init .` or `dvc init` begins to keep them",
            )
        request = self._push_request(root, name) | {"shards": shards}
        answer = self._transfer(request, on_progress, f"{request['folder']}: cannot be pushed", "push")
        return PushedDataset(
            record=answer["record"],
            recorded=answer["recorded"],
            dvc_hash=answer["hash"],
            files=answer["files"],
            bytes=answer["bytes"],
            uploaded_objects=answer["uploaded_objects"],
            uploaded_bytes=answer["uploaded_bytes"],
            remote=answer["remote"],
            shards=answer["shards"],
            repacked=answer["repacked"],
            why=answer["why"],
        )

    def recipe(self, root: Path) -> str | None:
        """The stage of the project's own `dvc.yaml` that makes the folder; those of other folders do not count."""
        return self._stage_of(root) if self._is_ours(root) else None

    def make(self, root: Path) -> bool:
        """Run the stage that makes the folder, and no other, and push its result; False where no stage makes it."""
        stage = self.recipe(root)
        if stage is None:
            return False
        made = self._dvc("repro", "--single-item", stage)
        if made.returncode != 0:
            raise DatasetError(
                f"{self._relative(root)}: the DVC stage {stage!r} that makes it failed: {last_line(made.stderr)}",
                hint=f"run `dvc repro {stage}` to see its whole output, and to run the stages that it depends on",
            )
        pushed = self._dvc("push", *self._remote.options, self._relative(root))
        if pushed.returncode != 0 or NEVER_KEPT in pushed.stderr:
            raise failed(f"{self._relative(root)}: created, but not pushed", pushed.stderr, "push")
        return True

    def set_remote(self, objects: ObjectStoreAddress, bucket: str) -> ChangeKind | None:
        """Use a bucket of the object store; its keys are kept in the home, readable only by its owner."""
        return self._remote.set(objects, bucket)

    def forget_remote(self) -> None:
        """Use the project's own remote; what was pushed stays there."""
        self._remote.forget()

    def content_hash(self, root: Path, known: Mapping[str, str] | None = None) -> str | None:
        """DVC's directory hash of what is in the folder now; None where the folder is missing."""
        return directory_hash(root, known or {}) if root.is_dir() else None

    def recorded_hash(self, root: Path) -> str | None:
        """The hash that `dvc.lock` or a `.dvc` file records for the folder."""
        record = self._record_of(root)
        if record is not None:
            return record.content
        return next(recorded_outputs(self._root, self._relative(root)), None)

    def _record_of(self, root: Path) -> DatasetRecord | None:
        """The `.dvc` file for a folder; for one outside the project that of this folder, or of its name."""
        if self._is_ours(root):
            return record_beside(root)
        return (
            record_from(self._root, root.resolve())
            or record_beside(root)
            or record_beside(self._root / RECORDS / root.name)
        )

    def _push_request(self, root: Path, name: str | None) -> dict[str, Any]:
        """What the child process is asked to push, and under which name."""
        if self._is_ours(root):
            if name is not None:
                raise DatasetError(
                    f"{root}: a folder of this project is recorded under its own name", hint="leave out --name"
                )
            if self.recipe(root) is not None or not root.exists():
                if self.recorded_hash(root) is None:
                    raise DatasetError(f"{root}: no such folder, and no revision of it is recorded")
                return {"do": "push recorded", "folder": self._relative(root)}
            folder = root
        else:
            folder = self._outside(root, name)
        if not root.is_dir():
            raise DatasetError(f"{root}: no such folder")
        outside = not self._is_ours(root)
        request = {"do": "push", "folder": self._relative(folder), "outside": outside}
        return request | {"source": str(root.resolve() if outside else root)}

    def _outside(self, root: Path, name: str | None) -> Path:
        """Where the record of a folder outside the project is; raises `DatasetError` where another data set has it."""
        top, source = self._root.resolve(), root.resolve()
        if top in source.parents:
            raise DatasetError(f"{root}: not a data set of this project", hint=f"push it in its own project: cd {root}")
        if source == top or source in top.parents:
            raise DatasetError(f"{root}: holds this project", hint="give the folder of the data set")
        own = record_from(self._root, source)
        if own is not None and name in {None, own.folder.name}:
            return own.folder
        folder = self._root / RECORDS / (name or source.name)
        if NAME.fullmatch(folder.name) is None:
            raise DatasetError(
                f"{folder.name!r}: not a name for a data set",
                hint="choose another: --name NAME",
            )
        record, here = record_beside(folder), folder.is_dir() and folder.resolve() != source
        if here or next(recorded_outputs(self._root, self._relative(folder)), None) is not None:
            raise DatasetError(
                f"{root}: {RECORDS}/{folder.name} is a folder of this project", hint="another name: --name NAME"
            )
        if record is not None and name is None:
            raise DatasetError(
                f"{root}: {record.pointer.name} records {record.source or f'{RECORDS}/{folder.name}'}, another folder",
                hint=f"as a new revision of that data set: --name {folder.name}; as one of its own: another --name",
            )
        return folder

    def _transfer(
        self, request: Mapping[str, Any], on_progress: OnTransfer, what: str, command: str
    ) -> Mapping[str, Any]:
        """The answer of the child process; raises what it refuses, or what failed there."""
        remote = self._remote.options[1] if self._remote.options else None

        def show(event: Mapping[str, Any]) -> None:
            on_progress(
                TransferProgress(
                    stage=event["stage"],
                    done=event["done"],
                    files=event["files"],
                    done_bytes=event["bytes"],
                    total_bytes=event["total_bytes"],
                )
            )

        answer = self._dvc.transfer(dict(request) | {"remote": remote}, show, command)
        if "done" not in answer:
            raise failed_transfer(what, answer, command)
        return dict(answer["done"])

    def _checked_out(self, folder: Path) -> bool:
        """Put what the cache has into its place, as DVC does; False where the cache lacks it."""
        name = self._relative(folder)
        record = record_beside(folder)  # by its file: DVC finds none that it believes to be ignored by git
        checked = self._dvc("checkout", name if record is None else self._relative(record.pointer))
        if checked.returncode == 0:
            return True
        if NOT_HERE in checked.stderr and len(errors_in(checked.stderr)) == 1:
            return False
        raise failed(f"{name}: cannot be pulled", checked.stderr, "pull")

    def _stage_of(self, root: Path) -> str | None:
        relative = self._relative(root)
        for name, stage in read_yaml(self._root / "dvc.yaml").get("stages", {}).items():
            outs = [next(iter(out)) if isinstance(out, dict) else out for out in stage.get("outs", [])]
            if relative in (Path(os.path.normpath(Path(stage.get("wdir", "."), out))).as_posix() for out in outs):
                return str(name)
        return None

    def _is_ours(self, root: Path) -> bool:
        """Whether the folder belongs to this project: inside it, and in no other project inside it."""
        here, top = root.resolve(), self._root.resolve()
        if top not in here.parents:
            return False
        between = [each for each in (here, *here.parents) if top in each.parents]
        return not any((each / mark).exists() for each in between for mark in (".dvc", ".git"))

    def _relative(self, root: Path) -> str:
        return Path(os.path.relpath(root.resolve(), self._root.resolve())).as_posix()


def _is_sharded(folder: Path) -> bool:
    record = record_beside(folder)
    return record is not None and record.sharded
