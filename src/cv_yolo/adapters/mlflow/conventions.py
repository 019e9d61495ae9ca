"""MLflow's own conventions for what we record, so that its pages show it: kinds, system tags, inputs, logged models."""

import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cv_yolo.domain.training.runs import DatasetInput
from cv_yolo.domain.training.tracking_events import LoggedModel
from cv_yolo.errors import AccessRefusedError, CvYoloError, NotFoundError, RunFailedError, ServiceUnavailableError
from cv_yolo.ports.records import NewRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

KIND_TAG: Final = "mlflow.experimentKind"
TRAININGS: Final = "custom_model_development"
NOTE_TAG: Final = "mlflow.note.content"
USER_TAG: Final = "mlflow.user"
SOURCE_TAG: Final = "mlflow.source.name"
SOURCE_TYPE_TAG: Final = "mlflow.source.type"
COMMIT_TAG: Final = "mlflow.source.git.commit"
ORIGIN_TAGS: Final = (USER_TAG, SOURCE_TAG, SOURCE_TYPE_TAG, COMMIT_TAG, NOTE_TAG)  # a model's page shows them too
CONTEXT_TAG: Final = "mlflow.data.context"
VERSIONS_TAG: Final = "mlflow.modelVersions"
EXPERIMENT_TAGS: Final = {
    KIND_TAG: TRAININGS,
    NOTE_TAG: "Detectors that were trained, evaluated and compared with `cv-yolo`; `cv-yolo runs` lists the same runs.",
}
DIGEST_LENGTH: Final = 36  # of MLflow's column
WEIGHTS_NOTE: Final = "weights.json"


def show_trainings(client: "MlflowClient", experiment_id: str) -> None:
    """Mark the experiment as one of trainings, unless the user chose another kind."""
    tags = client.get_experiment(experiment_id).tags
    kind = tags.get(KIND_TAG, "")
    if not kind or kind == "no_inferred_type" or kind.endswith("_inferred"):  # its pages guess, and keep the guess
        client.set_experiment_tag(experiment_id, KIND_TAG, TRAININGS)


def runs_page(experiment_id: str) -> str:
    """The path of an experiment's runs; without the parameter, MLflow's pages open on GenAI in a new browser."""
    return f"/#/experiments/{experiment_id}/runs?workflowType=machine_learning"


def run_page(experiment_id: str | None, run_id: str) -> str:
    """The path of a run's page."""
    if experiment_id is None:
        return f"/#/runs/{run_id}"  # MLflow looks for the experiment, and forgets the parameter
    return f"/#/experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning"


def tags_of(run: NewRun) -> dict[str, str]:
    """The tags of a new run, under the names that MLflow's pages read."""
    commit, dirty = run.tags.get("git_commit", "unknown"), run.tags.get("git_dirty", "unknown")
    known = {
        USER_TAG: run.user,
        SOURCE_TAG: run.source,
        SOURCE_TYPE_TAG: "LOCAL" if run.source else "",
        COMMIT_TAG: "" if commit == "unknown" else commit,
        "mlflow.source.git.dirty": "" if dirty == "unknown" else dirty,
        NOTE_TAG: run.note,
    }
    return {name: value for name, value in known.items() if value}


def datasets_of(inputs: Iterable[DatasetInput]) -> list[Any]:
    """The data of a run as MLflow's dataset inputs."""
    from mlflow.entities import Dataset, InputTag
    from mlflow.entities import DatasetInput as MlflowInput

    return [
        MlflowInput(
            dataset=Dataset(
                name=each.name,
                digest=each.digest[:DIGEST_LENGTH],
                source_type="local",
                source=json.dumps({"uri": each.source}),
                profile=json.dumps(each.profile),
            ),
            tags=[InputTag(CONTEXT_TAG, each.context)],
        )
        for each in inputs
    ]


def inputs_of(run: Any) -> tuple[DatasetInput, ...]:
    """The data of a run of MLflow's."""
    if run.inputs is None:
        return ()
    return tuple(_input(each) for each in run.inputs.dataset_inputs)


def log_model(client: "MlflowClient", event: LoggedModel) -> None:
    """Log the model of a run, ready and linked to it; what was done before is not done again."""
    from mlflow.entities import LoggedModelOutput

    run = client.get_run(event.run_id)
    if _models(run):
        return  # the link is made last
    place, source = [run.info.experiment_id], f"source_run_id = '{event.run_id}'"
    found = client.search_logged_models(place, filter_string=source, max_results=1)
    made = found[0] if found else _made(client, event, run)
    with tempfile.TemporaryDirectory() as folder:
        weights = {"weights": f"runs:/{event.run_id}/weights", **event.model_tags}
        Path(folder, WEIGHTS_NOTE).write_text(json.dumps(weights, indent=1), encoding="utf-8")
        client.log_model_artifacts(made.model_id, folder)
    client.finalize_logged_model(made.model_id, "READY")
    client.log_outputs(event.run_id, [LoggedModelOutput(model_id=made.model_id, step=0)])


def links_of(client: "MlflowClient", run_id: str, data: DatasetInput) -> dict[str, str]:
    """What links a metric to the run's model and to the data on which it was measured."""
    models = _models(client.get_run(run_id))
    linked = {"model_id": models[0]} if models else {}
    return linked | {"dataset_name": data.name, "dataset_digest": data.digest[:DIGEST_LENGTH]}


def link_version(client: "MlflowClient", run: Any, name: str, version: str) -> None:
    """Let the page of the run's model name the registered version that was made of it."""
    for model_id in _models(run):
        known = json.loads(client.get_logged_model(model_id).tags.get(VERSIONS_TAG, "[]"))
        link = {"name": name, "version": version}
        if link not in known:
            client.set_logged_model_tags(model_id, {VERSIONS_TAG: json.dumps([*known, link])})


def _made(client: "MlflowClient", event: LoggedModel, run: Any) -> Any:
    origin = {name: run.data.tags[name] for name in ORIGIN_TAGS if name in run.data.tags}
    return client.create_logged_model(
        run.info.experiment_id,
        name=event.model_name,
        source_run_id=event.run_id,
        model_type=event.model_type,
        params=event.model_params,
        tags=event.model_tags | origin,
    )


def _models(run: Any) -> list[str]:
    return [] if run.outputs is None else [str(each.model_id) for each in run.outputs.model_outputs]


def input_of(*, name: str, digest: str, context: str, source: str | None, profile: str | None) -> DatasetInput:
    """A dataset input as MLflow keeps it: source and profile are JSON."""
    return DatasetInput(
        name=name, digest=digest, context=context, source=_json(source).get("uri", ""), profile=_json(profile)
    )


def _input(each: Any) -> DatasetInput:
    data = each.dataset
    context = next((tag.value for tag in each.tags if tag.key == CONTEXT_TAG), "")
    return input_of(name=data.name, digest=data.digest, context=context, source=data.source, profile=data.profile)


def _json(text: str | None) -> dict[str, Any]:
    """What another program wrote there may be anything."""
    try:
        known = json.loads(text or "{}")
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}


UNAUTHENTICATED, FORBIDDEN, NOT_FOUND = 401, 403, 404
_UNANSWERED: Final = re.compile(r"API request to \S+ failed with (timeout exception|exception)")
_CAUSE = re.compile(r"too many \d+ error responses|(?!ResponseE)[A-Z]\w+(Error|Disconnected)(?=\()|Read timed out")
_DELETED: Final = re.compile(r"The (run|experiment) (\w+) must be in the 'active' state")
_UP_HINT: Final = "is it up, with its database and its object store? `cv-yolo status` shows it"
_LOGIN_HINT: Final = "the stack's tracker holds user and password: `cv-yolo stack register` sets them again"
MALFORMED: Final = frozenset({400, 411, 413, 415, 422})  # asked again, it would be refused again


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Translate what MLflow or its database at `uri` raises."""
    from mlflow.exceptions import MlflowException
    from requests import HTTPError
    from sqlalchemy.exc import SQLAlchemyError

    place = f"MLflow at {shown(uri)}"
    try:
        yield
    except MlflowException as error:
        raise _meaning(error, place) from error
    except HTTPError as error:  # how MLflow's server answers for files
        status = 0 if error.response is None else error.response.status_code
        raise _answered(status, place, shown(str(error))) from error
    except (SQLAlchemyError, OSError) as error:  # no connection, a database that is damaged, a disk that is full
        raise ServiceUnavailableError(f"{place}: {shown(' '.join(str(error).split()))}") from error


def _meaning(error: Any, place: str) -> CvYoloError:
    """The error for MLflow's exception: not found, refused for good, or unavailable."""
    message, status = shown(" ".join(error.message.split())), error.get_http_status_code()
    if deleted := _DELETED.search(message):
        return RunFailedError(f"{place}: {deleted[1]} {deleted[2]} was deleted", hint=restoring(deleted[1], deleted[2]))
    if unanswered := _UNANSWERED.match(message):
        why = _CAUSE.search(message)
        silence = f"{place} does not answer ({why[0] if why else unanswered[1]})"
        return ServiceUnavailableError(silence, hint=_UP_HINT)
    if error.error_code == "RESOURCE_DOES_NOT_EXIST":
        return NotFoundError(f"not in MLflow: {message}", hint="`cv-yolo runs` lists the runs")
    # a server that has lost its database says BAD_REQUEST too, but not with these
    if error.error_code == "BAD_REQUEST" and not re.search(r"DataError|IntegrityError", message):
        return ServiceUnavailableError(f"{place}: {message}")
    if status == NOT_FOUND:  # no word of MLflow's: a proxy whose server is gone, or another server
        return ServiceUnavailableError(f"{place}: {message}", hint="is this the address of an MLflow server?")
    return _answered(status, place, message)


def _answered(status: int, place: str, message: str) -> CvYoloError:
    if status == NOT_FOUND:
        return NotFoundError(f"not in MLflow: {message}", hint="`cv-yolo show RUN` lists the artifacts of a run")
    if status == UNAUTHENTICATED:
        return AccessRefusedError(f"{place}: user or password is wrong: {message}", hint=_LOGIN_HINT)
    if status == FORBIDDEN and "host" in message.lower():
        hint = "start it with this name in --allowed-hosts"
        return ServiceUnavailableError(f"{place}: does not answer to this host name: {message}", hint=hint)
    if status == FORBIDDEN:
        return AccessRefusedError(f"{place}: this user may not do that: {message}", hint=_LOGIN_HINT)
    if status in MALFORMED:
        return RunFailedError(f"{place} refused it: {message}")
    return ServiceUnavailableError(f"{place}: {message}")


def restoring(kind: str, id: str, uri: str = "") -> str:
    """The MLflow command that restores a deleted run or experiment."""
    address = f"MLFLOW_TRACKING_URI={shown(uri)} " if uri else ""
    login = " (with MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD)" if uri.startswith("http") else ""
    return f"`{address}mlflow {kind}s restore --{kind}-id {id}`{login} restores it"


def shown(text: str) -> str:
    """The text without the user and password that an address in it may hold."""
    return re.sub(r"//[^/@\s]+@", "//", text)
