"""ZenML's server of a local stack."""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.ports.servers import PipelineServer
from cv_yolo_stack.configuration.local_stack import ZENML_DATABASE, LocalStack
from cv_yolo_stack.servers.service import Service, clean_environment

if TYPE_CHECKING:
    from cv_yolo_stack.container import StackContainer

NAME: Final = "zenml"


def zenml_server(stack: LocalStack, container: "StackContainer", *, needs: tuple[str, ...]) -> Service:
    """The server, activated at its first start, usable once its administrator can log in."""
    folder, port = stack.folder.data(NAME), stack.choice.ports.zenml
    return Service(
        name=NAME,
        title="ZenML",
        url=stack.pipelines.url,
        use=lambda: container.servers.pipeline_server(stack.pipelines).use(),
        probe=_probe(stack, container),
        prepare=lambda: folder.mkdir(parents=True, exist_ok=True),
        command=(
            *(sys.executable, "-m", "uvicorn", "zenml.zen_server.zen_server_api:app"),
            *("--host", stack.choice.host, "--port", str(port), "--no-server-header", "--log-level", "warning"),
            *("--timeout-graceful-shutdown", "5"),
        ),
        environment=clean_environment() | _environment(stack),
        needs=needs,
        ports={"zenml": port},
    )


def _probe(stack: LocalStack, container: "StackContainer") -> Callable[[], None]:
    """Ask who we are, with the login of the last time: a new one costs the server a password's hash."""
    held: list[PipelineServer] = []

    def probe() -> None:
        if held:
            with suppress(ServiceUnavailableError):  # the login may have run out
                held[-1].use()
                return
            held.clear()
        server = container.servers.pipeline_server(stack.pipelines)
        server.use()
        held.append(server)

    return probe


def _environment(stack: LocalStack) -> dict[str, str]:
    """The server's own configuration; its database's address holds a password, so it is handed over here only."""
    keys, folder = stack.credentials, stack.folder.data(NAME)
    return {
        "ZENML_SERVER": "true",
        "ZENML_CONFIG_PATH": str(folder / "config"),
        "ZENML_LOCAL_STORES_PATH": str(folder / "local_stores"),
        "ZENML_STORE_URL": _store_url(stack),
        "ZENML_SERVER_DEPLOYMENT_TYPE": "other",
        "ZENML_SERVER_SERVER_URL": stack.pipelines.url,
        "ZENML_SERVER_DASHBOARD_URL": stack.pipelines.url,
        "ZENML_SERVER_CORS_ALLOW_ORIGINS": stack.pipelines.url,
        "ZENML_SERVER_AUTO_ACTIVATE": "1",
        "ZENML_SERVER_JWT_SECRET_KEY": keys.zenml_token_key,
        "ZENML_SERVER_DISPLAY_ANNOUNCEMENTS": "false",
        "ZENML_SERVER_DISPLAY_UPDATES": "false",
        "ZENML_DEFAULT_USER_NAME": keys.zenml_user,
        "ZENML_DEFAULT_USER_PASSWORD": keys.zenml_password,
        "ZENML_SECRETS_STORE_TYPE": "sql",
        "ZENML_SECRETS_STORE_ENCRYPTION_KEY": keys.zenml_encryption_key,
        "ZENML_ANALYTICS_OPT_IN": "false",
        "ZENML_AUTO_OPEN_DASHBOARD": "false",
        "ZENML_LOGGING_COLORS_DISABLED": "true",
        "ZENML_LOGGING_VERBOSITY": "WARNING",
    }


def _store_url(stack: LocalStack) -> str:
    database = stack.database(ZENML_DATABASE)
    if database is None:
        return f"sqlite:///{(stack.folder.data(NAME) / 'zenml.db').as_posix()}"
    login = f"{quote(database.user, safe='')}:{quote(database.password, safe='')}"
    return f"mysql://{login}@{database.host}:{database.port}/{database.database}"
