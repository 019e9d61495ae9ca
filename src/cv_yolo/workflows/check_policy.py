"""Refuse a policy that could not decide on a data set, before anything is trained or judged."""

from collections.abc import Callable
from pathlib import Path

from cv_yolo.domain.data.manifest import DatasetManifest, Split
from cv_yolo.domain.promotion.policy import PromotionPolicy, judged_on, misfits, shortages
from cv_yolo.errors import ConfigError
from cv_yolo.ports.datasets import DatasetFolder


def require_fit(
    policy: PromotionPolicy,
    manifest: DatasetManifest,
    *,
    root: Path,
    folder: DatasetFolder,
    report: Callable[[str], None],
) -> None:
    """Raise `ConfigError` for a policy that names what the data set lacks, or has a guard that cannot fail.

    Required classes that have too few boxes in test are reported: the decision will be inconclusive.
    """
    truths = folder.ground_truth(root, manifest, Split.TEST)
    test = judged_on(truths, manifest.classes, manifest.slices(Split.TEST))
    found = misfits(policy, test)
    if found:
        more = "".join(f"; {each.key}: {each.message}" for each in found[1:])
        raise ConfigError(f"{policy.source}: {found[0].key}: {found[0].message}{more}", hint=found[0].hint)
    for sentence in shortages(policy, test):
        report(f"{policy.source}: {sentence}")
