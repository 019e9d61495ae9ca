"""The servers that `cv-yolo up` runs on this machine, as clients see them: addresses and administrators' logins."""

from dataclasses import dataclass

from cv_yolo.domain.stack import (
    DatabaseAddress,
    ObjectStoreAddress,
    PipelineServerAddress,
    StackAddresses,
    TrackingAddress,
)
from cv_yolo.settings import Settings
from cv_yolo_stack.configuration.choice import DatabaseKind, StackChoice, StoreKind, read_choice
from cv_yolo_stack.configuration.credentials import Credentials, read_credentials
from cv_yolo_stack.configuration.folder import StackFolder, folder_of

ZENML_DATABASE = "zenml"
MLFLOW_DATABASE = "mlflow"
DATABASES = (ZENML_DATABASE, MLFLOW_DATABASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalStack:
    """One stack of this machine: its folder, what was chosen, and its keys."""

    folder: StackFolder
    choice: StackChoice
    credentials: Credentials

    @property
    def objects(self) -> ObjectStoreAddress:
        """The object store."""
        external = self.choice.store is StoreKind.EXTERNAL
        return ObjectStoreAddress(
            endpoint_url=self.choice.store_url if external else self._url(self.choice.ports.store),
            access_key=self.credentials.store_access_key,
            secret_key=self.credentials.store_secret_key,
            region=self.choice.region,
        )

    @property
    def pipelines(self) -> PipelineServerAddress:
        """ZenML's server, as its administrator."""
        return PipelineServerAddress(
            url=self._url(self.choice.ports.zenml),
            user=self.credentials.zenml_user,
            password=self.credentials.zenml_password,
        )

    @property
    def tracking(self) -> TrackingAddress:
        """MLflow's server, as its administrator."""
        return TrackingAddress(
            uri=self._url(self.choice.ports.mlflow),
            user=self.credentials.mlflow_user,
            password=self.credentials.mlflow_password,
        )

    @property
    def addresses(self) -> StackAddresses:
        """All three, as a client of the stack finds them."""
        return StackAddresses(pipelines=self.pipelines, tracking=self.tracking, objects=self.objects)

    def database(self, name: str) -> DatabaseAddress | None:
        """The database of that name, with the user of both servers; None where each keeps an SQLite file."""
        if self.choice.database is DatabaseKind.SQLITE:
            return None
        host, port = self.choice.database_place
        return DatabaseAddress(
            host=host,
            port=port,
            database=name,
            user=self.credentials.database_user,
            password=self.credentials.database_password,
        )

    def _url(self, port: int) -> str:
        return f"http://{self.choice.reach}:{port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackFiles:
    """The files of the first `cv-yolo up` in this folder, read once; None for a missing file."""

    folder: StackFolder
    choice: StackChoice | None
    credentials: Credentials | None

    @property
    def stack(self) -> LocalStack | None:
        """The stack; None where `cv-yolo up` never ran."""
        if self.choice is None or self.credentials is None:
            return None
        return LocalStack(folder=self.folder, choice=self.choice, credentials=self.credentials)


def read_files(folder: StackFolder) -> StackFiles:
    """Read the choice and the keys."""
    choice, credentials = read_choice(folder.choice), read_credentials(folder.credentials)
    return StackFiles(folder=folder, choice=choice, credentials=credentials)


def read_stack(settings: Settings) -> LocalStack | None:
    """The stack of this project's home; None where `cv-yolo up` never ran."""
    return read_files(folder_of(settings)).stack


def read_addresses(settings: Settings) -> StackAddresses | None:
    """Where the servers answer, with their administrators' logins; None where `cv-yolo up` never ran."""
    stack = read_stack(settings)
    return stack.addresses if stack else None


def read_database(settings: Settings) -> DatabaseAddress | None:
    """ZenML's database, whose user may read and write MLflow's too; None for SQLite, or where `up` never ran."""
    stack = read_stack(settings)
    return stack.database(ZENML_DATABASE) if stack else None
