"""`data.yaml`: which classes there are and where the images of each split lie. Nothing in it is ever run."""

import difflib
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from cv_yolo.adapters.yolo.entries import is_absent, is_file, is_folder, is_link
from cv_yolo.domain.data.manifest import Split
from cv_yolo.errors import DatasetError

NAME: Final = "data.yaml"
MISNAMED: Final = ("data.yml", "dataset.yaml", "dataset.yml", "data.yaml")
CORRECT_NAMES: Final = "write `names: [cat, dog]`, or `names: {0: cat, 1: dog}`"
MOST_BYTES: Final = 1_000_000
KNOWN_KEYS: Final = (*Split, "names", "nc", "path", "category_ids", "license")
ALIASES: Final[dict[str, str]] = {
    **dict.fromkeys(("training", "trains"), Split.TRAIN),
    **dict.fromkeys(("valid", "validation", "dev", "eval"), Split.VAL),
    **dict.fromkeys(("testing", "tests"), Split.TEST),
    **dict.fromkeys(("classes", "class_names"), "names"),
}
_WHOLE: Final = re.compile(r"0|[1-9]\d{0,5}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What `data.yaml` says: the classes in order, the places of each split's images, and keys that are not used.

    `category_ids` are the numbers that COCO files give the classes; empty where they are not recorded.
    """

    classes: tuple[str, ...]
    places: dict[Split, tuple[str, ...]]
    ignored: tuple[str, ...] = ()
    category_ids: dict[str, int] = field(default_factory=dict)


class _Loader(yaml.SafeLoader):
    """Scalars are text as it is written (a class may be called 1 or `no`); aliases and repeated keys are refused."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """A node; an alias would let a few lines stand for gigabytes."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not read", self.get_event().start_mark)  # type: ignore[no-untyped-call]
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """A mapping; YAML would silently keep the last of duplicate keys."""
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key {key.value!r}", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def is_here(root: Path) -> bool:
    """Whether the folder has a `data.yaml`; raises `DatasetError` where it seems to have one under another name."""
    path = root / NAME
    if is_file(path):
        return True
    if not is_absent(path):
        raise DatasetError(f"{path}: {_what(path)}, not a file", hint=f"restore the {NAME} of this data set")
    other = [name for name in _names_in(root) if name.lower() in MISNAMED and is_file(root / name)]
    if other:
        raise DatasetError(f"{root / min(other)}: did you mean {NAME}?", hint=f"rename the file to {NAME}")
    return False


def read_data_yaml(root: Path) -> Description:
    """Read and check all of `data.yaml`; raises `DatasetError` that names the key."""
    path = root / NAME
    content = _load(path)
    _require_known_splits(path, content)
    _require_this_folder(path, content.get("path"))
    classes = _classes(path, content.get("names"))
    _require_count(path, content.get("nc"), classes)
    places = {split: _places(path, split, content[split]) for split in Split if content.get(split) is not None}
    return Description(
        classes=classes,
        places=places,
        ignored=tuple(sorted(key for key in content if key not in KNOWN_KEYS)),
        category_ids=_category_ids(path, content.get("category_ids"), classes),
    )


def read_foreign_yaml(path: Path) -> Description:
    """What the `data.yaml` of another tool says, for import: keys may have other names, and places are not checked.

    `classes` are empty where the file names none.
    """
    content = _load(path)
    known = {key: ALIASES.get(key.lower(), key.lower()) for key in content}
    by_meaning = {known[key]: value for key, value in content.items()}
    by_meaning |= {key: content[key] for key in KNOWN_KEYS if key in content}  # an exact key before others
    names = by_meaning.get("names")
    classes = () if names is None else _classes(path, names)
    if classes:
        _require_count(path, by_meaning.get("nc"), classes)
    return Description(
        classes=classes,
        places={split: _places(path, split, by_meaning[split]) for split in Split if by_meaning.get(split) is not None},
        ignored=tuple(sorted(key for key, meaning in known.items() if meaning not in KNOWN_KEYS)),
    )


def read_licence(root: Path) -> str | None:
    """What `data.yaml` says of the licence of the data, in its own key or in Roboflow's; None where it says nothing."""
    if not is_file(root / NAME):
        return None
    content = _load(root / NAME)
    roboflow = content.get("roboflow")
    said = content.get("license") or (roboflow.get("license") if isinstance(roboflow, dict) else None)
    return said if isinstance(said, str) else None


def _what(path: Path) -> str:
    if is_folder(path):
        return "a folder"
    return "a link to nothing" if is_link(path) else "something that cannot be read"


def _names_in(root: Path) -> list[str]:
    try:
        return sorted(path.name for path in root.iterdir())
    except OSError:  # missing or unreadable: there is no data set in it
        return []


def _load(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
        if len(data) > MOST_BYTES:
            raise DatasetError(f"{path}: {len(data)} bytes, more than any list of classes and folders needs")
        content = yaml.load(data.decode("utf-8-sig"), Loader=_Loader)  # noqa: S506 - a subclass of SafeLoader
    except (OSError, ValueError, yaml.YAMLError, RecursionError, AttributeError, LookupError, TypeError) as error:
        raise DatasetError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise DatasetError(f"{path}: not a mapping of train, val, test and names")
    return content


def _require_known_splits(path: Path, content: dict[str, Any]) -> None:
    """A split under another name would be left out without a word."""
    for key, value in content.items():
        meant = ALIASES.get(key.lower()) or next((known for known in KNOWN_KEYS if known == key.lower()), None)
        near = difflib.get_close_matches(key.lower(), (*Split, "names"), n=1, cutoff=0.8)
        meant = meant or (near[0] if near else None)
        if key not in KNOWN_KEYS and meant is not None and content.get(meant) is None:
            raise DatasetError(
                f"{path}: no key `{meant}`, but `{key}: {value}`: did you mean `{meant}`?",
                hint=f"rename the key `{key}` to `{meant}`",
            )


def _require_this_folder(path: Path, given: object) -> None:
    """Ultralytics would look for the images below `path`; here a data set is the folder of its `data.yaml`."""
    if given is None:
        return
    root = path.parent.resolve()
    try:
        meant = {(base / str(given)).resolve() for base in (root, root.parent, Path.cwd())}
    except (OSError, ValueError, RuntimeError):  # a name that no file can have, or a loop of links
        meant = set()
    if root not in meant:
        raise DatasetError(
            f"{path}: `path: {given}` is not the folder of this file",
            hint="remove the line, or write `path: .`: train, val and test are read from the folder of data.yaml",
        )


def _classes(path: Path, names: object) -> tuple[str, ...]:
    if isinstance(names, dict):
        names = _numbered(path, names)
    if not isinstance(names, list) or not names:
        raise DatasetError(f"{path}: `names` must list the classes, from 0 on", hint=CORRECT_NAMES)
    for number, name in enumerate(names):
        if complaint := _complaint(name):
            raise DatasetError(f"{path}: `names`: class {number} {complaint}", hint=CORRECT_NAMES)
    seen: dict[str, int] = {}
    for number, name in enumerate(names):
        first = seen.setdefault(unicodedata.normalize("NFC", name), number)
        if first != number:
            raise DatasetError(
                f"{path}: `names`: the classes {first} and {number} have the same name, {name!r}",
                hint="give each class a unique name, or merge the two: one number in `names` and in the labels",
            )
    return tuple(names)


def _numbered(path: Path, names: dict[Any, Any]) -> list[Any]:
    wrong = [key for key in names if not isinstance(key, str) or not _WHOLE.fullmatch(key)]
    if wrong:
        raise DatasetError(f"{path}: `names`: the key {wrong[0]!r} is not the number of a class", hint=CORRECT_NAMES)
    by_number = {int(key): name for key, name in names.items()}
    missing = [number for number in range(max(by_number, default=0) + 1) if number not in by_number]
    if by_number and missing:
        listed = ", ".join(str(number) for number in missing[:3]) + (", …" if len(missing) > 3 else "")  # noqa: PLR2004
        raise DatasetError(
            f"{path}: `names`: {listed} {'is' if len(missing) == 1 else 'are'} missing: classes are numbered from 0 on "
            "without a gap",
            hint="name the missing class, or number the classes from 0 on, in `names` and in the labels",
        )
    return [by_number[number] for number in sorted(by_number)]


def _complaint(name: object) -> str | None:
    if not isinstance(name, str):
        return "is empty" if name is None else f"is not a string: {name}"
    if not name.strip():
        return "is blank"
    if name != name.strip():
        return f"begins or ends with a space: {name!r}"
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in name):
        return f"contains a control character: {name!r}"
    return None


def _require_count(path: Path, count: object, classes: tuple[str, ...]) -> None:
    if count is not None and count != str(len(classes)):
        raise DatasetError(
            f"{path}: `nc: {count}`, but `names` lists {len(classes)}",
            hint="remove `nc`, or complete `names`",
        )


def _places(path: Path, split: Split, given: object) -> tuple[str, ...]:
    places = given if isinstance(given, list) else [given]
    if not places or not all(isinstance(place, str) and place.strip() for place in places):
        raise DatasetError(f"{path}: `{split}: {given}` must be a folder of images, or a list of folders")
    return tuple(places)


def _category_ids(path: Path, given: object, classes: tuple[str, ...]) -> dict[str, int]:
    """The numbers that COCO files give the classes: one for each, or none at all."""
    if given is None:
        return {}
    numbers = given if isinstance(given, dict) else {}
    whole = all(isinstance(number, str) and _WHOLE.fullmatch(number) for number in numbers.values())
    if set(numbers) != set(classes) or not whole or len(set(numbers.values())) < len(classes):
        raise DatasetError(
            f"{path}: `category_ids` must give each class in `names` a unique number",
            hint="for example `category_ids: {person: 1, dog: 18}`",
        )
    return {name: int(numbers[name]) for name in classes}
