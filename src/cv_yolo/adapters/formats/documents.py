"""JSON and XML from untrusted files: parsed within limits, and their values taken only as what they should be."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException

from cv_yolo.domain.data.names import is_one_line
from cv_yolo.errors import DatasetError

LARGEST_BYTES: Final = 2_000_000_000  # COCO's instances_train2017.json has 0.45 GB, LVIS's 1.1 GB
GLANCE_BYTES: Final = 65_536
LONGEST_SHOWN: Final = 60
BEFORE_THE_TEXT: Final = b"\xef\xbb\xbf\xff\xfe \t\r\n"  # byte order marks and white space


def glance(path: Path) -> bytes:
    """The first and the last bytes of a file, by which its format is recognised; nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(GLANCE_BYTES)
            size = file.seek(0, 2)
            file.seek(max(len(head), size - GLANCE_BYTES))
            return (head + file.read()).replace(b"\0", b"").lstrip(BEFORE_THE_TEXT)
    except OSError:
        return b""


def read_json(path: Path) -> Any:
    """The content of a JSON file; raises `DatasetError`, also for a key that is given twice."""
    return json_of(bytes_of(path))


def json_of(data: bytes) -> Any:
    """The content of a JSON document; raises `DatasetError`, also for a key that is given twice."""
    try:
        return json.loads(data, object_pairs_hook=_without_repeats)
    except RecursionError as error:
        raise DatasetError("nested too deeply to be annotations") from error
    except ValueError as error:  # damaged JSON, bytes of another encoding, a number of thousands of digits
        raise DatasetError(f"not JSON: {_reason(error)}", hint="export the annotations once more") from error


def read_xml(path: Path) -> Element:
    """The root of an XML file without DTD and entities; raises `DatasetError`."""
    try:
        root: Element = defusedxml.ElementTree.fromstring(bytes_of(path), forbid_dtd=True)
    except (DefusedXmlException, ParseError, ValueError, LookupError) as error:
        raise _not_xml(error) from error
    return root


def children_of_xml(path: Path) -> Iterator[Element]:
    """The children of an XML file's root, each complete, one after the other; the root itself comes first, empty."""
    _require_size(path)
    try:
        depth, root = 0, None
        for event, element in defusedxml.ElementTree.iterparse(str(path), events=("start", "end"), forbid_dtd=True):
            if event == "start":
                depth += 1
                if root is None:
                    root = element
                    yield root
                continue
            depth -= 1
            if depth == 1 and root is not None:
                yield element
                root.clear()
    except OSError as error:
        raise _unreadable(error) from error
    except (DefusedXmlException, ParseError, ValueError, LookupError) as error:
        raise _not_xml(error) from error


def number(value: object, what: str) -> float:
    """A finite number of a JSON document; raises `DatasetError` that says what is there instead."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DatasetError(f"{what} is {shown(value)}, expected a number")
    try:
        if math.isfinite(value):
            return float(value)
    except OverflowError:
        pass
    raise DatasetError(f"{what} is {shown(value)}, expected a finite number")


def number_in_text(text: str | None, what: str) -> float:
    """A finite number of an XML document, with a decimal point; raises `DatasetError`."""
    written = (text or "").strip()
    try:
        value = float(written) if written.isascii() and "_" not in written else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        comma = ": write a decimal point, not a comma" if "," in written else ""
        raise DatasetError(f"{what} is {shown(written)}, expected a finite number{comma}")
    return value


def whole_number(value: object, what: str) -> int:
    """A whole number of a JSON document, also where it is written as `640.0` or as text; raises `DatasetError`."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= LONGEST_SHOWN:
        return int(value)
    found = number(value, what)
    if not found.is_integer():
        raise DatasetError(f"{what} is {shown(value)}, expected a whole number")
    return int(found)


def identifier(value: object, what: str) -> str:
    """An id as text: `7`, `7.0` and `"7"` are the same one; raises `DatasetError`."""
    if type(value) is int:
        return str(value)
    return text(value, what) if isinstance(value, str) else str(whole_number(value, what))


def flag(value: object, what: str) -> bool:
    """A yes or no that is written as 0 or 1, also as text, or as true or false; absent means no."""
    if value is None:
        return False
    if value in (0, 1, "0", "1"):
        return value not in (0, "0")
    raise DatasetError(f"{what} is {shown(value)}, expected 0 or 1")


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without spaces around them; raises `DatasetError`."""
    try:
        return [line.strip() for line in bytes_of(path).decode("utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise DatasetError("not a text in UTF-8", hint="save it as UTF-8") from error


def text(value: object, what: str) -> str:
    """A text of one line that is not blank, without spaces around it; raises `DatasetError`."""
    if not isinstance(value, str) or not value.strip() or not is_one_line(value.strip()):
        raise DatasetError(f"{what} is {shown(value)}, expected a text of one line")
    return value.strip()


def stated_size(width: object, height: object) -> tuple[int, int] | None:
    """Width and height as a JSON document gives them; None where it gives neither."""
    if width is None and height is None:
        return None
    return whole_number(width, "width"), whole_number(height, "height")


def objects(value: object, what: str) -> list[Mapping[str, Any]]:
    """A list of JSON objects; raises `DatasetError`."""
    if not isinstance(value, list):
        raise DatasetError(f"{what} is {shown(value)}, expected a list")
    for index, each in enumerate(value):
        if not isinstance(each, dict):
            raise DatasetError(f"{what}[{index}] is {shown(each)}, expected an object")
    return value


def shown(value: object) -> str:
    """A value as messages show it: short, in one line, and without what is inside of lists and objects."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return str(value).lower()
    try:
        written = ascii(value) if isinstance(value, str) and not is_one_line(value) else repr(value)
    except ValueError:  # a whole number with more digits than Python prints
        return "a number of thousands of digits"
    return written if len(written) <= LONGEST_SHOWN else f"{written[:LONGEST_SHOWN]}…"


def bytes_of(path: Path) -> bytes:
    """The content of a file within the limits; raises `DatasetError`."""
    _require_size(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(error) from error


def _require_size(path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise _unreadable(error) from error
    if size > LARGEST_BYTES:
        raise DatasetError(
            f"{size / 1e9:.1f} GB, the most that is read is {LARGEST_BYTES / 1e9:.0f} GB",
            hint="export the data set in several parts",
        )


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        (key, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {shown(key)} twice in one object")
    return found


def _unreadable(error: OSError) -> DatasetError:
    return DatasetError(f"cannot be read: {error.strerror}", hint="are its permissions right?")


def _not_xml(error: Exception) -> DatasetError:
    if isinstance(error, DefusedXmlException):
        return DatasetError(
            "declares a document type (DTD) or entities, which annotations do not need",
            hint="remove `<!DOCTYPE …>` from the file",
        )
    return DatasetError(f"not XML: {_reason(error)}", hint="export the annotations once more")


def _reason(error: Exception) -> str:
    return shown(" ".join(str(error).split()))[1:-1] if str(error) else type(error).__name__
