"""The classes of a registered model: its first version sets them, and every other one must detect the same."""

from dataclasses import replace

from cv_yolo.domain.data.manifest import DatasetManifest
from cv_yolo.domain.promotion.versions import HELD_BY_ONE, ModelVersion
from cv_yolo.errors import InputError, NotFoundError, WeightsError
from cv_yolo.workflows.detectors import Sources, classes_of
from cv_yolo.workflows.follow_log import placed
from cv_yolo.workflows.register import require_same_classes


def require_model_of(manifest: DatasetManifest, sources: Sources) -> None:
    """Raise `InputError` where the registered model is one of other classes than the data set's.

    The versions in a stage are asked, and the oldest with its classes on record, which was compared when it was
    registered; where there is none of them the newest, whose weights are inspected.
    """
    known = sources.register.tracking.versions()
    where = placed(sources.register.log.entries(), known) if known else {}
    champions = [each for each in known if where.get(each.version) in HELD_BY_ONE]
    recorded = [each for each in known if each.classes is not None]
    for version in dict.fromkeys([*champions, *recorded[:1]] or known[-1:]):
        classes = _known(version, sources)
        require_same_classes(replace(version, classes=classes), manifest.classes, of=f"the data set {manifest.name}")


def _known(version: ModelVersion, sources: Sources) -> tuple[str, ...]:
    try:
        return classes_of(version, sources)
    except (NotFoundError, WeightsError) as error:
        raise InputError(
            f"the classes of version {version.version} of {version.model} are not known: {error.message}",
            hint="use another registered model: `registered_model: NAME` in the experiment, or --registered-model NAME",
        ) from error
