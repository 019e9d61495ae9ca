"""What is refused of a data set: gathered, so that every reason is reported at once, as one error."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from cv_yolo.errors import DatasetError

MOST_REFUSALS: Final = 10
MOST_HINTS: Final = 3


class GatheredError(DatasetError):
    """Several refusals as one error."""

    def __init__(self, message: str, *, hint: str | None, refusals: tuple[DatasetError, ...]) -> None:
        super().__init__(message, hint=hint)
        self.refusals = refusals


class Refusals:
    """Collects what is refused, so that a person sees all of it at once."""

    def __init__(self) -> None:
        self._refusals: list[DatasetError] = []

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Collect a refusal inside the block, and go on after it."""
        try:
            yield
        except DatasetError as error:
            self.refuse(error)

    def refuse(self, error: DatasetError) -> None:
        """Collect one refusal."""
        self._refusals.append(error)

    @property
    def refusals(self) -> tuple[DatasetError, ...]:
        """All that was refused so far."""
        return tuple(self._refusals)

    def conclude(self, subject: str = "the data set") -> None:
        """Raise all that was refused as one error; `subject` is what has several problems."""
        if self._refusals:
            raise gathered(self._refusals, subject=subject)


def gathered(refusals: Sequence[DatasetError], *, subject: str = "the data set") -> DatasetError:
    """All refusals as one error: the first by name with their reasons, how many more, and what to do about them.

    The refusals of a gathered one are taken singly; what is refused twice in the same words counts once.
    """
    single = [each for refusal in refusals for each in getattr(refusal, "refusals", (refusal,))]
    ordered = sorted({each.message: each for each in single}.values(), key=lambda refusal: refusal.message)
    if len(ordered) == 1:
        return ordered[0]
    shown = [f"  {refusal.message}" for refusal in ordered[:MOST_REFUSALS]]
    if len(ordered) > MOST_REFUSALS:
        shown.append(f"  … and {len(ordered) - MOST_REFUSALS} more")
    hints = dict.fromkeys(refusal.hint for refusal in ordered if refusal.hint)
    return GatheredError(
        "\n".join([f"{subject} has {len(ordered)} problems:", *shown]),
        hint="; ".join(list(hints)[:MOST_HINTS]) or None,
        refusals=tuple(ordered),
    )
