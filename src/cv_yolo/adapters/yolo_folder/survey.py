"""What a scan gathers on its way: every reason to refuse the data set, not the first one only, and every oddity."""

from collections.abc import Iterator
from contextlib import contextmanager

from cv_yolo.adapters.yolo_folder.entries import Listings
from cv_yolo.domain.findings import Findings, gathered
from cv_yolo.errors import DatasetError


class Survey:
    """Refusals and findings of one scan."""

    def __init__(self) -> None:
        self.findings = Findings()
        self.listings = Listings()
        self._refusals: list[DatasetError] = []

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """A refusal within the block is kept, and the scan goes on behind it."""
        try:
            yield
        except DatasetError as error:
            self._refusals.append(error)

    def conclude(self) -> None:
        """Raise all that was refused as one error."""
        if self._refusals:
            raise gathered(self._refusals)
