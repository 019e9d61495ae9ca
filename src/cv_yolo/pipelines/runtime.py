"""What the steps of this process share: the wired parts, and the work folders of the pipeline run."""

from pathlib import Path

from zenml import get_step_context
from zenml.utils.source_utils import set_custom_source_root

from cv_yolo.bootstrap import Bootstrap

# ZenML would otherwise record modules as `src.cv_yolo.…`, import them twice, and break isinstance.
set_custom_source_root(str(Path(__file__).resolve().parents[2]))

PIPELINE_RUN_TAG = "pipeline_run"


_PARTS: list[Bootstrap] = []


def use(parts: Bootstrap) -> None:
    """Let the steps of this process use these parts."""
    _PARTS[:] = [parts]


def parts() -> Bootstrap:
    """The wired parts of this process, made from the environment where nobody gave any."""
    if not _PARTS:
        use(Bootstrap())
    return _PARTS[0]


def pipeline_run() -> str:
    """The name of the pipeline run to which the current step belongs."""
    return str(get_step_context().pipeline_run.name)


def pipeline_run_id() -> str:
    """ZenML's id of the pipeline run to which the current step belongs."""
    return str(get_step_context().pipeline_run.id)


def run_folder(name: str) -> Path:
    """Where the pipeline run of that name keeps its journal, logs and work folders."""
    return parts().settings.runs / name
