"""How data sets of other formats come in and go out: sources, readers, the folder of imports, exports."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

from cv_yolo.errors import DatasetError
from cv_yolo.settings import Settings

if TYPE_CHECKING:
    from cv_yolo.domain.data.annotated import AnnotatedDataset
    from cv_yolo.domain.data.label_text import Outlines
    from cv_yolo.ports.coco_files import CocoFiles
    from cv_yolo.ports.datasets import AnnotationReader, DatasetExport, ImportFolder

FORMATS: Final = ("coco", "voc", "yolo", "cvat", "labelstudio")


class _Format(Protocol):
    """A module that reads a format."""

    def detect(self, root: Path) -> bool: ...
    def read(self, root: Path) -> "AnnotatedDataset": ...


def coco_files() -> "CocoFiles":
    """What reads annotations and results that are scored without a data set."""
    from cv_yolo.adapters.formats.coco_scoring import CocoJson

    return CocoJson()


class Imports:
    """The adapters of import and export."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def folder(self) -> "ImportFolder":
        """Imported data on disk."""
        from cv_yolo.adapters.yolo.imported import YoloImports

        return YoloImports(most_px=self._settings.most_px)

    def opened(
        self, source: str, *, follow_links: bool, report: Callable[[str], None]
    ) -> "AbstractContextManager[Path]":
        """A folder, an archive or an address as a safe local folder, for as long as the context lasts."""
        from cv_yolo.adapters.formats.unpacking import opened

        return opened(source, scratch=self._settings.home / "tmp", follow_links=follow_links, report=report)

    def reader(
        self, root: Path, format: str | None, *, class_names: tuple[str, ...], outlines: "Outlines"
    ) -> "tuple[str, AnnotationReader]":
        """The name of a format and its reader; without a name the format that the folder has.

        Raises `DatasetError` where it has none or several. `class_names` and `outlines` are for YOLO's label text.
        """
        name = _detected(root) if format is None else format
        if name == "yolo":
            from cv_yolo.adapters.formats import yolo

            return name, partial(yolo.read, class_names=class_names, outlines=outlines)
        return name, _format(name).read

    @property
    def export(self) -> "DatasetExport":
        """Writes data sets in other formats."""
        from cv_yolo.adapters.formats.export import export

        return export


def _format(name: str) -> _Format:
    """The module of a format, imported when it is needed."""
    return cast("_Format", import_module(f"cv_yolo.adapters.formats.{name}"))


def _detected(root: Path) -> str:
    from cv_yolo.adapters.yolo.canonical import is_ours

    if is_ours(root):  # label text and COCO JSON of the same: the latter holds more
        return "coco"
    found = [name for name in FORMATS if _format(name).detect(root)]
    if len(found) == 1:
        return found[0]
    if found:
        raise DatasetError(
            f"{root}: has annotations of {len(found)} formats: {', '.join(found)}",
            hint=f"say which one is meant: --format {found[0]}",
        )
    raise DatasetError(
        f"{root}: neither COCO JSON, Pascal VOC XML, YOLO text, CVAT XML nor Label Studio JSON",
        hint="give the folder that has images and annotations; --format says which format is meant",
    )
