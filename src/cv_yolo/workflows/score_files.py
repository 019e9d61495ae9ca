"""Score COCO results against COCO annotations: one, or several with a ranking. Nothing is recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cv_yolo.domain.evaluation.evaluation import Scored
from cv_yolo.domain.evaluation.image_sets import AnnotatedImages, ScoringOptions, score_images
from cv_yolo.domain.evaluation.ranking import RankedModel, rank_models
from cv_yolo.errors import InputError
from cv_yolo.ports.coco_files import CocoFiles


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredFiles:
    """The images, and what each model scores on them, by name in the order given."""

    truth: AnnotatedImages
    scored: dict[str, Scored]

    def ranked(self, metric: str) -> tuple[RankedModel, ...]:
        """The models, the best first."""
        return rank_models(self.scored, metric=metric)


def score_files(truth: object, results: Sequence[tuple[str, object]], options: ScoringOptions, files: CocoFiles,
                *, truth_name: str | None = None) -> ScoredFiles:  # fmt: skip
    """Score results, each with a name; all are read before any is scored."""
    names = [name for name, _ in results]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{twice}: given twice", hint="compare different results, each with a name of its own")
    images = files.truth(truth, name=truth_name or (str(truth) if isinstance(truth, Path) else "truth"))
    images.slices(options.slice_by)
    found = [files.results(source, images, name=name) for name, source in results]
    return ScoredFiles(truth=images, scored={each.name: score_images(images, each, options) for each in found})
