"""What `evaluate`, `compare` and `promote` have in common: models by name, the data they are scored on, the pages."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from cv_yolo.bootstrap import EXPERIMENT, MODEL, Bootstrap
from cv_yolo.cli.stopping import stopping
from cv_yolo.domain.categories import stated_categories
from cv_yolo.domain.class_names import listed
from cv_yolo.domain.comparison import Comparison, compare
from cv_yolo.domain.dataset import DatasetManifest, Split
from cv_yolo.domain.evaluation import Scored
from cv_yolo.domain.figures import DETECTION_LIMITS
from cv_yolo.domain.intervals import Resampling
from cv_yolo.domain.marks import mark_images
from cv_yolo.errors import ConfigError, DatasetError, InputError
from cv_yolo.files import write_whole
from cv_yolo.reports.comparison_html import comparison_html, evaluation_html
from cv_yolo.reports.content import MOST_IMAGES, ComparisonReport, EvaluationReport
from cv_yolo.workflows.detectors import Sources, find_detector, run_of
from cv_yolo.workflows.evaluate import Examination, examine, score_results, with_classes
from cv_yolo.workflows.prepare_dataset import prepare_dataset
from cv_yolo.workflows.report import worst_first
from cv_yolo.workflows.train import DATASET_PATH_TAG

RESULTS_SUFFIX = ".json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the person chose beside the models."""

    split: Split = Split.TEST
    data: str | None = None
    image_size_px: int | None = None
    confidence_threshold: float | None = None
    first_class: int | None = None
    categories: Path | None = None
    exact_classes: bool = True
    resampling: Resampling = Resampling()  # noqa: RUF009 - frozen
    detection_limits: tuple[int, ...] = DETECTION_LIMITS
    experiment: str = EXPERIMENT
    model: str = MODEL
    trusted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One data set, on which models of any kind are scored."""

    parts: Bootstrap
    choices: Choices
    sources: Sources
    manifest: DatasetManifest
    examination: Examination

    def score(self, name: str) -> Scored:
        """Score a detector, or a results file, on the chosen split."""
        choices, split = self.choices, self.choices.split
        if not self.manifest.split(split):
            raise DatasetError(f"{self.examination.dataset_root}: no images in the split {split}")
        if Path(name).suffix == RESULTS_SUFFIX:
            return self._told(name, self._score_results(Path(name)))
        detector = find_detector(name, self.sources, image_size_px=choices.image_size_px, trusted=choices.trusted)
        detector = with_classes(detector, self.examination)
        if choices.confidence_threshold is not None:
            detector = replace(detector, confidence_threshold=choices.confidence_threshold)
        if detector.confidence_threshold is None and split is not Split.VAL:
            tell(f"{name}: choosing its confidence threshold on {len(self.manifest.split(Split.VAL))} val images …")
            on_val = examine(detector, self.manifest, Split.VAL, self.examination).evaluation
            detector = replace(detector, confidence_threshold=on_val.confidence_threshold)
        tell(f"{name}: scoring {len(self.manifest.split(split))} {split} images …")
        return self._told(name, examine(detector, self.manifest, split, self.examination))

    def _score_results(self, path: Path) -> Scored:
        choices, predictions = self.choices, self.examination.predictions
        categories = stated_categories(
            path.name,
            self.manifest.classes,
            named=None if choices.categories is None else predictions.read_categories(choices.categories),
            first=choices.first_class,
            recorded=self.manifest.category_ids,
        )
        threshold = choices.confidence_threshold
        return score_results(
            path,
            self.manifest,
            choices.split,
            self.examination,
            categories=categories,
            confidence_threshold=threshold,
        )

    def _told(self, name: str, scored: Scored) -> Scored:
        """The scored model; detections that were left out are named."""
        subject = scored.evaluation.subject
        if subject.ignored_classes:
            count, names = subject.ignored_detections, listed(subject.ignored_classes)
            tell(f"{name}: {count} detections of classes that the data set does not name are left out: {names}")
        return scored

    def write_evaluation(self, path: Path, name: str, scored: Scored) -> None:
        """Write the page of one model's evaluation."""
        threshold = scored.evaluation.confidence_threshold
        marks = worst_first(mark_images(scored.matched.table, confidence_threshold=threshold))
        shown = [each.image for each in marks[:MOST_IMAGES]]
        report = EvaluationReport(
            name=name,
            evaluation=scored.evaluation,
            marks=marks,
            thumbnails=self.parts.gallery.thumbnails(self.examination.dataset_root, shown),
            made_at=datetime.now(UTC),
        )
        _write(path, evaluation_html(report))

    def write_comparison(self, path: Path, names: tuple[str, str], comparison: Comparison) -> None:
        """Write the page of a comparison."""
        shown = [change.image for changes in (comparison.broken, comparison.fixed) for change in changes[:MOST_IMAGES]]
        report = ComparisonReport(
            first_name=names[0],
            second_name=names[1],
            comparison=comparison,
            thumbnails=self.parts.gallery.thumbnails(self.examination.dataset_root, shown),
            made_at=datetime.now(UTC),
        )
        _write(path, comparison_html(report))

    def compare(self, first: str, second: str) -> Comparison:
        """Score two models on the same images."""
        one = self.score(first)
        return compare(one, self.score(second))


@contextmanager
def bench(choices: Choices, names: Sequence[str]) -> Iterator[Bench]:
    """The bench for these models, on the data given or else those they were trained on; Ctrl-C ends the children."""
    parts = Bootstrap()
    with stopping(parts.stop):
        sources = parts.sources(choices.model, choices.experiment)
        root = parts.settings.root / (choices.data or _trained_on(names, sources))
        started = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        yield Bench(
            parts=parts,
            choices=choices,
            sources=sources,
            manifest=prepare_dataset(parts.dataset_source(root, tell)),
            examination=replace(
                parts.examination(
                    root,
                    workdir=parts.settings.runs / f"evaluation-{started}",
                    resampling=choices.resampling,
                    experiment=choices.experiment,
                ),
                detection_limits=choices.detection_limits,
                exact_classes=choices.exact_classes,
            ),
        )


def tell(text: str) -> None:
    """A line about what is going on, beside the output."""
    click.echo(text, err=True)


def _trained_on(names: Sequence[str], sources: Sources) -> str:
    for name in names:
        run = None if Path(name).suffix == RESULTS_SUFFIX else run_of(name, sources)
        if run is not None and DATASET_PATH_TAG in run.tags:
            return run.tags[DATASET_PATH_TAG]
    raise ConfigError(f"no data set is known for {', '.join(names)}", hint="name its folder with --data")


def _write(path: Path, page: str) -> None:
    try:
        write_whole(path, page)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror or error}", hint="name another place with --html"
        ) from error
    tell(f"The page: {path}")
