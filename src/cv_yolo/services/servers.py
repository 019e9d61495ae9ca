"""All servers of a local stack, in the order in which they start."""

from typing import TYPE_CHECKING

from cv_yolo.services.database import database
from cv_yolo.services.local_stack import LocalStack
from cv_yolo.services.mlflow_server import mlflow_server
from cv_yolo.services.object_store import object_store
from cv_yolo.services.service import Service
from cv_yolo.services.zenml_server import zenml_server

if TYPE_CHECKING:
    from cv_yolo.bootstrap import Bootstrap


def servers_of(stack: LocalStack, parts: "Bootstrap") -> tuple[Service, ...]:
    """Store and database first; ZenML needs the database, MLflow both."""
    store, records = object_store(stack, parts), database(stack, parts)
    kept_by = (records.name,) if records else ()
    zenml = zenml_server(stack, parts, needs=kept_by)
    mlflow = mlflow_server(stack, parts, needs=(store.name, *kept_by))
    return (store, *((records,) if records else ()), zenml, mlflow)
