"""Everything that servers hold, as a hash for each thing; and whether other servers hold the same."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

AUDIT: Final = "audit entries"

Hashes = Mapping[str, Mapping[str, str]]  # kind -> name -> hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What servers held before and after a backup: what did not change meanwhile, and the names of what did."""

    settled: Hashes
    moving: Mapping[str, tuple[str, ...]]

    @property
    def models(self) -> tuple[str, ...]:
        """The models that have an audit log."""
        names = (*self.settled.get(AUDIT, {}), *self.moving.get(AUDIT, ()))
        return tuple(sorted({model_of_entry(name) for name in names}))


@dataclass(frozen=True, slots=True, kw_only=True)
class KindComparison:
    """How one kind of thing compares: how many were expected, and which are not the same; `moving` are not judged."""

    kind: str
    expected: int
    missing: tuple[str, ...] = ()
    different: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    moving: int = 0

    @property
    def same(self) -> int:
        """How many are there and the same."""
        return self.expected - len(self.missing) - len(self.different)

    @property
    def agrees(self) -> bool:
        """Whether everything is there and the same, and nothing else."""
        return not (self.missing or self.different or self.unknown)


def identity(text: str) -> str:
    """The text itself."""
    return text


def hash_of(value: Any, steady: Callable[[str], str] = identity) -> str:
    """SHA-256 of a JSON value, whatever the order of its keys; `steady` removes what differs between installations."""
    text = steady(json.dumps(value, sort_keys=True, ensure_ascii=False))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def entry_name(model: str, number: int) -> str:
    """The name of an entry of a model's audit log."""
    return f"{model} {number}"


def model_of_entry(name: str) -> str:
    """The model of an entry of that name."""
    return name.rpartition(" ")[0]


def settled(before: Hashes, after: Hashes) -> Snapshot:
    """What was the same both times; the rest was being written."""
    kinds = sorted({*before, *after})
    still = {kind: dict(before.get(kind, {}).items() & after.get(kind, {}).items()) for kind in kinds}
    moved = {kind: sorted({*before.get(kind, {}), *after.get(kind, {})} - {*still[kind]}) for kind in kinds}
    return Snapshot(settled=still, moving={kind: tuple(names) for kind, names in moved.items() if names})


def compare(expected: Snapshot, found: Hashes) -> tuple[KindComparison, ...]:
    """How what is found compares with what is expected, a tally for each kind."""
    kinds = sorted({*expected.settled, *expected.moving, *found})
    return tuple(
        tally(
            kind,
            expected.settled.get(kind, {}),
            found.get(kind, {}),
            moving=expected.moving.get(kind, ()),
        )
        for kind in kinds
    )


def tally(
    kind: str, expected: Mapping[str, str], found: Mapping[str, str], *, moving: Iterable[str] = ()
) -> KindComparison:
    """How the things of one kind compare."""
    moved = set(moving)
    return KindComparison(
        kind=kind,
        expected=len(expected),
        missing=tuple(sorted({*expected} - {*found})),
        different=tuple(sorted(name for name, digest in expected.items() if found.get(name, digest) != digest)),
        unknown=tuple(sorted({*found} - {*expected} - moved)),
        moving=len(moved),
    )
