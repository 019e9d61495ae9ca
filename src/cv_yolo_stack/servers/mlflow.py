"""MLflow's server of a local stack: one worker, basic auth, files in the object store."""

import socket
import sys
from socket import AF_INET
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import psutil

from cv_yolo.domain.stack import TRACKING_BUCKET
from cv_yolo.files import write_secret
from cv_yolo_stack.configuration.choice import EVERYWHERE
from cv_yolo_stack.configuration.local_stack import MLFLOW_DATABASE, LocalStack
from cv_yolo_stack.servers.service import Service, clean_environment

if TYPE_CHECKING:
    from cv_yolo_stack.container import StackContainer

NAME: Final = "mlflow"
TRAININGS_PAGE: Final = "/#/experiments?workflowType=machine_learning"  # a new browser opens on GenAI without it
LOGIN_CACHE_S: Final = 60  # without it each request costs 0.6 s: the password's hash is slow on purpose


def mlflow_server(stack: LocalStack, container: "StackContainer", *, needs: tuple[str, ...]) -> Service:
    """The server, usable once a metric that was logged can be read back."""
    host, port = stack.choice.host, stack.choice.ports.mlflow
    return Service(
        name=NAME,
        title="MLflow",
        url=stack.tracking.uri,
        use=lambda: container.tracking_server(stack.tracking).use(),
        probe=lambda: container.tracking_server(stack.tracking).read(),
        prepare=lambda: _prepare(stack),
        command=(
            *(sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--workers", "1"),
            *("--host", host, "--port", str(port), "--allowed-hosts", _allowed_hosts(stack)),
            *("--artifacts-destination", f"s3://{TRACKING_BUCKET}"),
            *("--uvicorn-opts", "--log-level warning --timeout-graceful-shutdown 5"),
        ),
        environment=clean_environment() | _environment(stack),
        needs=needs,
        ports={"mlflow": port},
    )


def _prepare(stack: LocalStack) -> None:
    """Write its login file. Users are in SQLite, whatever the backend: MySQL refuses MLflow's tables for them."""
    keys = stack.credentials
    lines = (
        "[mlflow]",
        "default_permission = READ",
        f"database_uri = {_sqlite_uri(stack, 'users.db').replace('%', '%%')}",
        f"admin_username = {keys.mlflow_user}",
        f"admin_password = {keys.mlflow_password}",
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth",
        f"auth_cache_ttl_seconds = {LOGIN_CACHE_S}",
    )
    write_secret(stack.folder.data(NAME) / "auth.ini", "\n".join(lines) + "\n")


def _environment(stack: LocalStack) -> dict[str, str]:
    objects = stack.objects
    endpoint = {"MLFLOW_S3_ENDPOINT_URL": objects.endpoint_url} if objects.endpoint_url else {}
    return endpoint | {
        "MLFLOW_BACKEND_STORE_URI": _database_uri(stack),
        "MLFLOW_AUTH_CONFIG_PATH": str(stack.folder.data(NAME) / "auth.ini"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": stack.credentials.mlflow_session_key,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "AWS_ACCESS_KEY_ID": objects.access_key,
        "AWS_SECRET_ACCESS_KEY": objects.secret_key,
        "AWS_DEFAULT_REGION": objects.region,
        "AWS_RETRY_MODE": "standard",
        "AWS_MAX_ATTEMPTS": "3",  # a client of a server whose store is gone would wait for half a minute
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _database_uri(stack: LocalStack) -> str:
    database = stack.database(MLFLOW_DATABASE)
    if database is None:
        return _sqlite_uri(stack, "mlflow.db")
    login = f"{quote(database.user, safe='')}:{quote(database.password, safe='')}"
    return f"mysql+pymysql://{login}@{database.host}:{database.port}/{database.database}"


def _sqlite_uri(stack: LocalStack, file: str) -> str:
    return f"sqlite:///{(stack.folder.data(NAME) / file).as_posix()}"


def _allowed_hosts(stack: LocalStack) -> str:
    """The names under which a browser may ask: any other would be another site that points at this machine."""
    names = ["localhost", "127.0.0.1", stack.choice.reach]
    if stack.choice.host == EVERYWHERE:
        cards = psutil.net_if_addrs().values()
        names += [socket.gethostname(), *(each.address for card in cards for each in card if each.family == AF_INET)]
    return ",".join(f"{name}:{stack.choice.ports.mlflow}" for name in dict.fromkeys(names))
