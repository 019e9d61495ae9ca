"""The child process that transfers: one JSON request on standard input, progress and one answer on standard output."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dvc.repo import lock_repo

from cv_yolo.adapters.dvc.meters import say
from cv_yolo.adapters.dvc.project import DvcProject
from cv_yolo.adapters.dvc.pulling import Pulled, cached, fetch_objects, fetch_shards, lay_out
from cv_yolo.adapters.dvc.pushing import PushJob, push_folder, push_recorded
from cv_yolo.adapters.dvc.records import record_beside
from cv_yolo.disk import says_full
from cv_yolo.errors import DatasetError


def main() -> int:
    """Do what is asked; what fails becomes an answer, too."""
    request = json.load(sys.stdin)
    try:
        project = DvcProject(request["remote"])
        with lock_repo(project.repo):
            project.clear_scratch()
            say({"done": _do(project, request)})
    except DatasetError as error:
        say({"refused": error.message, "hint": error.hint})
    except Exception as error:  # noqa: BLE001 - the parent process says what failed, with the reasons that DVC gives
        say({"failed": _reasons(error), "full": says_full(error)})
    return 0


def _do(project: DvcProject, request: Mapping[str, Any]) -> Mapping[str, Any]:
    folder = Path(request["folder"])
    if request["do"] != "pull" and not project.has_remote():
        raise DatasetError(
            "this project has no remote to push to", hint="`cv-yolo connect`, or `dvc remote add -d NAME ADDRESS`"
        )
    if request["do"] == "push recorded":
        return push_recorded(project, folder).message
    if request["do"] == "push":
        job = PushJob(
            folder=folder, source=Path(request["source"]), outside=request["outside"], shards=request["shards"]
        )
        return push_folder(project, job).message
    return _pull(project, folder, None if request["out"] is None else Path(request["out"]))


def _pull(project: DvcProject, folder: Path, out: Path | None) -> Mapping[str, Any]:
    record = record_beside(folder)
    if record is not None and record.sharded:
        if not project.has_remote():
            return Pulled().message
        return fetch_shards(project, record, out or folder).message
    output = project.known_output(folder)
    if not project.has_remote(output):
        return cached(project, output).message
    pulled, tree = fetch_objects(project, output, output.hash_info.value)
    if out is not None and pulled.found:
        lay_out(project, tree, out)
    return pulled.message


def _reasons(error: BaseException) -> str:
    """An error and what led to it, as DVC prints them."""
    reasons, each = list[str](), error
    while True:
        reasons.append(" ".join(str(each).split()) or type(each).__name__)
        following = each.__cause__ or each.__context__
        if following is None:
            return "ERROR: " + ": ".join(dict.fromkeys(reasons))
        each = following


if __name__ == "__main__":
    sys.exit(main())
