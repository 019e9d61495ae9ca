"""Data sets: their folders, their policy, their revisions with DVC, and scenes that are drawn."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Final

from cv_yolo.container import environment
from cv_yolo.container.records import Records
from cv_yolo.container.servers import ServerClients
from cv_yolo.domain.stack import DATASETS_BUCKET
from cv_yolo.settings import Settings

if TYPE_CHECKING:  # commands that list runs and versions need no NumPy
    import numpy as np
    import numpy.typing as npt

    from cv_yolo.adapters.dvc.store import DvcStore
    from cv_yolo.domain.data.annotations import Boxes
    from cv_yolo.domain.data.data_policy import DataPolicy
    from cv_yolo.domain.training.runs import Run
    from cv_yolo.ports.datasets import DatasetFixer, DatasetFolder, DatasetStore
    from cv_yolo.workflows.dataset_revisions import RevisionSource
    from cv_yolo.workflows.prepare_dataset import DatasetSource

DATA_POLICY: Final = Path("configs", "data_policy.yaml")


class Datasets:
    """The adapters of data sets; `records` say which test images were judged before."""

    def __init__(
        self,
        settings: Settings,
        servers: ServerClients,
        records: Records,
        *,
        stop: Event,
        report: Callable[[str], None],
    ) -> None:
        self._settings, self._servers, self._records = settings, servers, records
        self._stop, self._report = stop, report

    def source(self, root: Path, report: Callable[[str], None]) -> "DatasetSource":
        """The data set in that folder, and where it can be fetched from."""
        from cv_yolo.workflows.prepare_dataset import DatasetSource

        return DatasetSource(
            root=root,
            folder=self.folder,
            store=self.store,
            report=report,
            policy=self.policy(),
        )

    def checked_source(
        self,
        root: Path,
        report: Callable[[str], None],
        *,
        policy: "DataPolicy",
        on_image: Callable[[int, int], None],
    ) -> "DatasetSource":
        """The data set in that folder for `data check`, which keeps what it has read, and asks the records."""
        from cv_yolo.adapters.yolo.folder import YoloFolder
        from cv_yolo.workflows.judged_data import in_folder, last_test_revision

        is_this = in_folder(root, project=self._settings.root)
        return replace(
            self.source(root, report),
            folder=YoloFolder(caches=self._settings.checks, most_px=self._settings.most_px),
            policy=policy,
            on_image=on_image,
            last_test_revision=lambda: last_test_revision(
                self._records.audit_log(policy.registered_model), self._records.tracker(), is_this
            ),
        )

    def policy(self, path: Path | None = None) -> "DataPolicy":
        """The rules of the data gate: of that file, else of the project's own, else the defaults."""
        from cv_yolo.domain.data.data_policy import DataPolicy

        own = self._settings.root / DATA_POLICY
        found = path or (own if own.exists() else None)
        if found is None:
            return DataPolicy()
        from cv_yolo.config import load_data_policy

        return load_data_policy(found)

    @cached_property
    def folder(self) -> "DatasetFolder":
        """Data sets on disk."""
        from cv_yolo.adapters.yolo.folder import YoloFolder

        return YoloFolder(most_px=self._settings.most_px)

    @property
    def store(self) -> "DatasetStore":
        """DVC, with the stack's remote where this machine is connected to one, else with the project's own."""
        if self._settings.connection is None:
            self.dvc.forget_remote()
        else:
            self.dvc.set_remote(self._servers.stack_addresses.objects, DATASETS_BUCKET)
        return self.dvc

    @cached_property
    def dvc(self) -> "DvcStore":
        """DVC as the project configures it."""
        from cv_yolo.adapters.dvc.command import Attended
        from cv_yolo.adapters.dvc.store import DvcStore

        answers = None if self._settings.connection is None else self._servers.store_answers
        attended = Attended(stop=self._stop, answers=answers, silence_s=self._settings.answer_limit_s)
        given = environment.of_data_stages()
        return DvcStore(root=self._settings.root, environment=given, attended=attended, report=self._report)

    @cached_property
    def fixer(self) -> "DatasetFixer":
        """Fixes data sets on disk."""
        from cv_yolo.adapters.yolo.fixing import YoloFixer

        return YoloFixer()

    def licence(self, dataset: str) -> str | None:
        """What the data set in that folder of the project says of its licence; None where it is not here."""
        from cv_yolo.adapters.yolo.data_yaml import read_licence

        return read_licence(self._settings.root / dataset)

    def paint(self, rng: "np.random.Generator", *, size_px: int) -> "tuple[npt.NDArray[np.uint8], Boxes]":
        """A scene in the demo's style; a `Painter`."""
        from cv_yolo.adapters.scenes.scene import draw_scene
        from cv_yolo.adapters.scenes.sprites import SceneStyle

        scene = draw_scene(rng, size_px=size_px, style=SceneStyle.DEMO)
        return scene.image, scene.boxes_xyxy

    def revisions(
        self, runs: "Callable[[], Sequence[Run]]", on_image: Callable[[str, int, int], None]
    ) -> "RevisionSource":
        """Where revisions of data sets are recorded, kept, read and remembered."""
        from cv_yolo.adapters.dvc.history import DvcHistory
        from cv_yolo.adapters.files.revisions import RevisionsFolder
        from cv_yolo.adapters.yolo.content import YoloContents
        from cv_yolo.workflows.dataset_revisions import RevisionSource

        remembered = self._settings.checks / "revisions"
        return RevisionSource(
            history=DvcHistory(project=self._settings.root, scratch=self._settings.home / "tmp"),
            contents=YoloContents(remembered / "images.json"),
            known=RevisionsFolder(remembered),
            runs=runs,
            on_image=on_image,
        )
