"""What `cv-yolo up` does: choose, keep, start, and wait; or find what runs already."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from cv_yolo.errors import InputError, ServiceUnavailableError
from cv_yolo.services.control import Control, Report
from cv_yolo.services.listening import require_free
from cv_yolo.services.local_stack import LocalStack
from cv_yolo.services.servers import servers_of
from cv_yolo.services.stack_choice import LOOPBACK, Wish, read_choice
from cv_yolo.services.stack_folder import StackFolder, folder_of
from cv_yolo.services.stack_plan import keep, planned
from cv_yolo.services.stack_state import StackState

if TYPE_CHECKING:
    from cv_yolo.bootstrap import Bootstrap

OTHER_UP_WITHIN_S: Final = 300.0
READY_WITHIN_S: Final = 300.0
Tell = Callable[[str], None]


def bring_up(parts: "Bootstrap", wish: Wish, *, report: Report, tell: Tell) -> tuple[LocalStack, StackState]:
    """Have all servers usable. Raises `InputError` for a wish that cannot be had, `ServiceUnavailableError` else."""
    folder = folder_of(parts.settings)
    folder.make()
    with _alone(folder, tell):
        stack = planned(parts.settings, wish)
        control = Control(folder, hide=stack.credentials.without_secrets, report=report)
        state = control.running()
        if state is not None:
            return stack, _find(control, state, stack, tell)
        services = servers_of(stack, parts)
        control.clear()
        require_free(services, stack.choice.host)
        if keep(stack):
            keys = stack.credentials
            tell(f"First start. ZenML's administrator, shown only now: {keys.zenml_user} / {keys.zenml_password}")
            tell(f"All passwords and keys are in {folder.credentials}")
        if stack.choice.host not in {"localhost", LOOPBACK}:
            tell(
                f"The servers listen on {stack.choice.host}, unencrypted: put them behind TLS, or in a private network."
            )
        home = {"CV_YOLO_ROOT": str(parts.settings.root), "CV_YOLO_HOME": str(parts.home)}
        return stack, control.start(home, within_s=READY_WITHIN_S)


def _find(control: Control, state: StackState, stack: LocalStack, tell: Tell) -> StackState:
    """Leave what runs as it is; only what was given up is tried again."""
    if stack.choice != read_choice(stack.folder.choice):
        raise InputError("the servers are up, on another host or other ports", hint="`cv-yolo down` first")
    if state.ready:
        tell("The servers are up already.")
        return state
    for service in state.failed:
        tell(f"{service.title} had been given up; it starts anew.")
        control.ask_anew(service.name)
    return control.wait_until_ready(within_s=READY_WITHIN_S)


@contextmanager
def _alone(folder: StackFolder, tell: Tell) -> Iterator[None]:
    """One `cv-yolo up` at a time in a folder."""
    lock = FileLock(folder.lock)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        tell("Another `cv-yolo up` is at work here; waiting for it …")
        try:
            lock.acquire(timeout=OTHER_UP_WITHIN_S)
        except Timeout as error:
            raise ServiceUnavailableError(
                f"another `cv-yolo up` has been at work for {OTHER_UP_WITHIN_S:g} s", hint="`cv-yolo status` tells more"
            ) from error
    try:
        yield
    finally:
        lock.release()
