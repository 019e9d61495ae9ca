"""What DVC says when it fails, as an error that names who is to blame: the remote, its key, the disk or the data."""

from collections.abc import Mapping
from typing import Any, Final

from cv_yolo.errors import CvYoloError, DatasetError, DiskFullError, ServiceUnavailableError

NOT_HERE: Final = "Checkout failed for following targets"
NEVER_KEPT: Final = "Missing cache files"
REFUSED: Final = ("Forbidden", "(403)", "SignatureDoesNotMatch", "InvalidAccessKeyId", "Unable to locate credentials")
UNREACHABLE: Final = (
    "failed to connect",
    "Could not connect",
    "timed out",
    "Connection reset",
    "Name or service not known",
    "Response payload is not completed",
)


def errors_in(text: str) -> list[str]:
    """The lines that DVC marks as errors."""
    return [line.strip() for line in text.splitlines() if line.strip().lower().startswith("error")]


def last_line(text: str) -> str:
    """The last error that DVC prints, or else its last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (errors_in(text) or lines or ["no message"])[-1].removeprefix("ERROR: ")


def _blames_remote(text: str) -> bool:
    return any(mark in text for mark in (*REFUSED, *UNREACHABLE))


def failed(what: str, text: str, command: str) -> CvYoloError:
    """The error for a failed `dvc pull` or `push`: the remote's, with what to fix, or the data's."""
    lines = [line for line in text.splitlines() if _blames_remote(line)]
    reason = last_line("\n".join(lines) or text)
    if any(mark in text for mark in REFUSED):
        return ServiceUnavailableError(
            f"{what}: the remote refuses our key: {reason}",
            hint="`cv-yolo stack register` or `cv-yolo connect` renews it",
        )
    if any(mark in text for mark in UNREACHABLE):
        return ServiceUnavailableError(
            f"{what}: the remote does not answer: {reason}",
            hint="is it up? Check with `cv-yolo status` and `cv-yolo doctor`",
        )
    if NEVER_KEPT in text:
        return DatasetError(
            f"{what}: the recorded files are neither in DVC's cache nor on the remote",
            hint="push where the files are, or record the current ones (`dvc commit` for a stage's output)",
        )
    return DatasetError(
        f"{what}: {reason}", hint=f"run `dvc {command}` to see its whole output; `dvc remote list` shows the remotes"
    )


def failed_transfer(what: str, answer: Mapping[str, Any], command: str) -> CvYoloError:
    """The error for what the child process that transfers answered."""
    if "refused" in answer:
        return DatasetError(str(answer["refused"]), hint=answer["hint"])
    text = str(answer["failed"])
    if answer["full"]:
        return DiskFullError(
            f"{what}: the disk is full: {last_line(text)}",
            hint="free some space there, then run the same command again: it continues",
        )
    return failed(what, text, command)
