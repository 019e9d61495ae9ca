"""What can go wrong, in the words of the person who has to fix it.

    CvYoloError                      exit code
    ├── InputError                       2      your input
    │   ├── ConfigError                         a configuration file or an override
    │   ├── DatasetError                        images, labels or the manifest
    │   ├── WeightsError                        a weights file that is missing or does not load
    │   └── NotFoundError                       a run or a model version that was not recorded
    ├── ServiceUnavailableError          3      a service or a network address
    │   ├── DiskFullError                       a file system that takes nothing more
    │   └── AccessRefusedError                  a user, a password or a key that it does not accept
    ├── PolicyRefusedError               4      the policy said no
    │   └── PromotionConflictError              another promotion was faster
    │       └── LogGrewError                    another entry came first at the end of the audit log
    ├── AuditLogError                    1      the audit log was changed, or cannot be read or written
    ├── RunFailedError                   1      a run without its proof
    │   ├── TrainingFailedError
    │   └── EvaluationFailedError
    └── StoppedError                   130      Ctrl-C or a termination signal

Every error says what went wrong and where; `hint` says what to do next. The command line turns `exit_code` into
the exit code of the process, in one place (`cv_yolo.cli.main`).
"""

import re
from typing import ClassVar, Final

ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


class CvYoloError(Exception):
    """An error that the user can act on."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(CvYoloError):
    """The user's input cannot be used."""

    exit_code = 2


class ConfigError(InputError):
    """A configuration file or an override is wrong; the message names file and key."""


class DatasetError(InputError):
    """The images, labels or manifest of a data set are missing or wrong."""


class WeightsError(InputError):
    """A weights file is missing or does not load."""


class NotFoundError(InputError):
    """No run or model version of that name was recorded."""


class ServiceUnavailableError(CvYoloError):
    """A service or network address does not answer."""

    exit_code = 3


class DiskFullError(ServiceUnavailableError):
    """A file system is full: ours, or that of a server."""


class AccessRefusedError(ServiceUnavailableError):
    """A service does not accept our user, password, key or clock: waiting does not help."""


class PolicyRefusedError(CvYoloError):
    """The promotion policy said no."""

    exit_code = 4


class PromotionConflictError(PolicyRefusedError):
    """The stage was taken by another version since this one was judged."""


class LogGrewError(PromotionConflictError):
    """Another entry was written at the end of the audit log since it was read; nothing was written or moved."""


class AuditLogError(CvYoloError):
    """The audit log is inconsistent, or cannot be read or written."""


class RunFailedError(CvYoloError):
    """A run ended without the proof that it succeeded."""


class TrainingFailedError(RunFailedError):
    """A training raised, was killed, or left no usable weights."""


class EvaluationFailedError(RunFailedError):
    """A model could not be evaluated, or its metrics are not finite."""


class StoppedError(CvYoloError):
    """The user stopped the work (Ctrl-C, or a termination signal)."""

    exit_code = 130


def one_line(error: BaseException) -> str:
    """The reason of a failure in one line: `TrainingFailedError: …`."""
    text = " ".join(without_escapes(str(error)).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def without_escapes(text: str) -> str:
    """The text without the escape sequences by which libraries colour their output (ECMA-48)."""
    return ESCAPES.sub("", text)
