"""Hand a detector over: its weights, checked, and `model.json` with all that its use needs, in a folder."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cv_yolo.domain.promotion.audit import Entry
from cv_yolo.domain.promotion.model_card import DecisionMetrics, ModelCard, WeightsFile, decision_about
from cv_yolo.domain.promotion.versions import ModelVersion
from cv_yolo.domain.training.runs import Run, RunStatus, find_run
from cv_yolo.errors import ConfigError, NotFoundError, WeightsError
from cv_yolo.files import read_weights, sha256_of, write_bytes_whole
from cv_yolo.workflows.detectors import Sources, classes_of_detector, find_version, of_run, of_version
from cv_yolo.workflows.evaluate import DECISION_FOLDER
from cv_yolo.workflows.follow_log import placed
from cv_yolo.workflows.user_folder import reporting, require_folder

WEIGHTS_NAME: Final = "model.pt"
CARD_NAME: Final = "model.json"
EVALUATION_FOLDER: Final = "evaluation/val"
EVALUATION: Final = f"{EVALUATION_FOLDER}/evaluation.json"
MOST_NAMED: Final = 5
VERSION_NUMBER: Final = re.compile(r"\d{1,4}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel:
    """A detector that can be handed over: its weights on this machine, and its card."""

    weights: Path
    card: ModelCard

    @property
    def files(self) -> dict[str, bytes]:
        """What the folder is to hold, by name; raises `WeightsError` where the weights are not those recorded."""
        card = json.dumps(self.card.as_json(), indent=1, ensure_ascii=False) + "\n"
        weights = read_weights(self.weights, self.card.weights.sha256)
        return {WEIGHTS_NAME: weights, CARD_NAME: card.encode()}


def find_model(
    name: str, sources: Sources, *, experiment: str, data_licence: Callable[[Run], str | None] = lambda _: None
) -> FoundModel:
    """The version in the stage of that name, the version, or the run, with its weights.

    Raises `NotFoundError`, which says what there is, and `WeightsError` where its weights are lost or changed, or it
    ended without proof.
    """
    run, version = _find(name, sources)
    if run.status is not RunStatus.FINISHED:
        raise WeightsError(
            f"run {run.name} ({run.run_id[:8]}) is {run.status}: only a finished run has proof of its weights",
            hint="`cv-yolo runs` lists the finished ones",
        )
    detector = of_run(run, sources) if version is None else of_version(version, sources)
    entries = sources.register.log.entries()
    stage = None if version is None else placed(entries, [version]).get(version.version)
    card = ModelCard(
        model=sources.register.model,
        run=run,
        experiment=experiment,
        version=version,
        stage=stage,
        classes=classes_of_detector(detector, sources),
        settings=detector.settings,
        confidence_threshold=detector.confidence_threshold,
        interval_confidence=_interval_confidence(run, sources),
        entries=entries,
        test=None if version is None else _decision_metrics(run, decision_about(entries, version, stage), sources),
        weights=WeightsFile(name=WEIGHTS_NAME, sha256=detector.weights_sha256, bytes=detector.weights.stat().st_size),
        data_licence=data_licence(run),
    )
    return FoundModel(weights=detector.weights, card=card)


def write_model(found: FoundModel, out: Path, *, force: bool = False) -> bool:
    """Write the folder, the card last, and check what was written; False where all of it is there already.

    Raises `ConfigError` for a folder with other content, unless `force`: then the two files are replaced.
    """
    files = found.files
    with reporting(out, "read"):
        require_folder(out)
        present = {each.name for each in out.iterdir()} if out.is_dir() else set()
        missing = [name for name, content in files.items() if not _holds(out / name, content)]
    others = sorted(present - set(files)) + [name for name in missing if name in present]
    if others and not force:
        raise ConfigError(
            f"{out}: has other content: {_some(others)}",
            hint=f"name an empty folder; --force replaces {WEIGHTS_NAME} and {CARD_NAME}, and leaves the rest",
        )
    if not missing:
        return False
    with reporting(out / WEIGHTS_NAME, "written"):
        (out / CARD_NAME).unlink(missing_ok=True)  # a card stands beside the weights that it describes, or is absent
        for name in (WEIGHTS_NAME, CARD_NAME):
            write_bytes_whole(out / name, files[name])
        if sha256_of(out / WEIGHTS_NAME) != found.card.weights.sha256:
            (out / CARD_NAME).unlink()
            raise WeightsError(f"{out / WEIGHTS_NAME}: was not written as it was read", hint="check the disk")
    return True


def _find(name: str, sources: Sources) -> tuple[Run, ModelVersion | None]:
    """The run, and the version that it is registered as."""
    try:
        version = find_version(name, sources.register)
        if version is None and VERSION_NUMBER.fullmatch(name):  # not the beginning of a run's id
            raise NotFoundError(f"{name}: no such version of {sources.register.model}")
        run = find_run(name, sources.tracker.runs()) if version is None else sources.tracker.get(version.run_id)
    except NotFoundError as error:
        said = error.message.replace("no such run", "no such version or run")
        raise NotFoundError(said, hint=_what_exists(sources)) from error
    versions = sources.register.tracking.versions()
    return run, version or next((each for each in versions if each.run_id == run.run_id), None)


def _what_exists(sources: Sources) -> str:
    versions, entries = sources.register.tracking.versions(), sources.register.log.entries()
    where = placed(entries, versions)
    stages = {each.version: where.get(each.version) for each in versions[::-1]}
    named = [f"{version} ({stage})" if stage else version for version, stage in stages.items()]
    runs = dict.fromkeys(run.name for run in sources.tracker.runs() if run.status is RunStatus.FINISHED)
    if not named and not runs:
        return "nothing is recorded yet: `cv-yolo grid` trains and registers"
    return f"there are the versions {_some(named) or '–'} and the finished runs {_some(list(runs)) or '–'}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")


def _interval_confidence(run: Run, sources: Sources) -> float | None:
    if EVALUATION not in sources.tracker.artifacts(run.run_id, EVALUATION_FOLDER):
        return None
    evaluation = json.loads(sources.tracker.artifact(run.run_id, EVALUATION))
    return float(evaluation["resampling"]["confidence"])


def _decision_metrics(run: Run, entry: Entry | None, sources: Sources) -> DecisionMetrics | None:
    """What the decision measured on the test images; None where an earlier version of the program decided."""
    kept = () if entry is None else sources.tracker.artifacts(run.run_id, DECISION_FOLDER)
    found = next((path for path in kept if entry is not None and path.endswith(f"-{entry.decision}.json")), None)
    if found is None:
        return None
    evaluation = json.loads(sources.tracker.artifact(run.run_id, found))
    main = {name: figure for name, figure in sorted(evaluation["figures"].items()) if "/" not in name}
    return DecisionMetrics(
        images=evaluation["images"],
        interval_confidence=evaluation["resampling"]["confidence"],
        values={
            name: {"value": figure["value"], **{end: (figure["interval"] or {}).get(end) for end in ("low", "high")}}
            for name, figure in main.items()
        },
    )


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content
