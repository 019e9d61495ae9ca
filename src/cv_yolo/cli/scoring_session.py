"""What `evaluate`, `compare` and `promote` have in common: models by name, the data they are scored on, the pages."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from cv_yolo.cli.stopping import stopping
from cv_yolo.container import EXPERIMENT, MODEL, Container
from cv_yolo.domain.data.categories import Categories, stated_categories
from cv_yolo.domain.data.class_names import listed, map_classes
from cv_yolo.domain.data.manifest import DatasetManifest, Split
from cv_yolo.domain.evaluation.all_metrics import DETECTION_LIMITS
from cv_yolo.domain.evaluation.annotated_images import annotate_images
from cv_yolo.domain.evaluation.comparison import Comparison, compare
from cv_yolo.domain.evaluation.evaluation import Scored
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.errors import ConfigError, DatasetError, InputError
from cv_yolo.files import write_whole
from cv_yolo.reports.pages.comparison import comparison_html, evaluation_html
from cv_yolo.reports.text.formatting import count_text
from cv_yolo.reports.view_models import MOST_IMAGES, ComparisonReport, EvaluationReport
from cv_yolo.workflows.detectors import Sources, find_detector, run_of
from cv_yolo.workflows.evaluate import (
    Detector,
    Examination,
    examine,
    needs_threshold,
    score_results,
    with_classes,
    with_threshold,
)
from cv_yolo.workflows.prepare_dataset import prepare_dataset
from cv_yolo.workflows.report import worst_first
from cv_yolo.workflows.train import DATASET_PATH_TAG

RESULTS_SUFFIX = ".json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The user's options besides the models."""

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
class ScoringSession:
    """One data set, on which models of any kind are scored."""

    container: Container
    choices: Choices
    sources: Sources
    manifest: DatasetManifest
    examination: Examination

    def score(self, name: str) -> Scored:
        """Score a detector, or a results file, on the chosen split."""
        return self._score(name, self._find(name))

    def compare(self, first: str, second: str) -> Comparison:
        """Score two models on the same images; both are known to detect the data's classes before either is scored."""
        one, other = self._find(first), self._find(second)
        scored = self._score(first, one)
        return compare(scored, self._score(second, other))

    def _find(self, name: str) -> Detector | Categories:
        """The detector, or what the ids in a results file stand for; raises `InputError` for one of other classes."""
        results, exact = Path(name).suffix == RESULTS_SUFFIX, self.examination.exact_classes
        if not self.manifest.split(self.choices.split):
            raise DatasetError(f"{self.examination.dataset_root}: no images in the split {self.choices.split}")
        found = self._categories(name) if results else self._detector(name)
        names = tuple(found.names.values()) if isinstance(found, Categories) else found.classes or ()
        map_classes(names, self.manifest.classes, detector=Path(name).name if results else name, exact=exact)
        return found

    def _detector(self, name: str) -> Detector:
        choices = self.choices
        detector = find_detector(name, self.sources, image_size_px=choices.image_size_px, trusted=choices.trusted)
        return with_classes(detector, self.examination)

    def _categories(self, name: str) -> Categories:
        choices, predictions = self.choices, self.examination.predictions
        return stated_categories(
            Path(name).name,
            self.manifest.classes,
            named=None if choices.categories is None else predictions.read_categories(choices.categories),
            first=choices.first_class,
            recorded=self.manifest.category_ids,
        )

    def _score(self, name: str, found: Detector | Categories) -> Scored:
        """The scored model; detections that were left out are named."""
        if isinstance(found, Categories):
            threshold = self.choices.confidence_threshold
            path, split = Path(name), self.choices.split
            scored = score_results(
                path, self.manifest, split, self.examination, categories=found, confidence_threshold=threshold
            )
        else:
            scored = self._examine(name, found)
        subject = scored.evaluation.subject
        if subject.ignored_classes:
            count = count_text(subject.ignored_detections, "detection", "detections")
            names = listed(subject.ignored_classes)
            echo(f"{name}: {count} of classes that the data set does not name left out: {names}")
        return scored

    def _examine(self, name: str, detector: Detector) -> Scored:
        """Score a detector at the threshold that was given, or else the one that val chooses."""
        choices, split = self.choices, self.choices.split
        if choices.confidence_threshold is not None:
            detector = replace(detector, confidence_threshold=choices.confidence_threshold)
        if needs_threshold(detector, split):
            echo(f"{name}: choosing its confidence threshold on {len(self.manifest.split(Split.VAL))} val images …")
            detector = with_threshold(detector, self.manifest, self.examination)
        echo(f"{name}: scoring {len(self.manifest.split(split))} {split} images …")
        return examine(detector, self.manifest, split, self.examination)

    def write_evaluation(self, path: Path, name: str, scored: Scored) -> None:
        """Write the page of one model's evaluation."""
        threshold = scored.evaluation.confidence_threshold
        annotated = worst_first(annotate_images(scored.matched.table, confidence_threshold=threshold))
        shown = [each.image for each in annotated[:MOST_IMAGES]]
        report = EvaluationReport(
            name=name,
            evaluation=scored.evaluation,
            annotated=annotated,
            thumbnails=self.container.renderer.thumbnails(self.examination.dataset_root, shown),
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
            thumbnails=self.container.renderer.thumbnails(self.examination.dataset_root, shown),
            made_at=datetime.now(UTC),
        )
        _write(path, comparison_html(report))


@contextmanager
def session(choices: Choices, names: Sequence[str]) -> Iterator[ScoringSession]:
    """A session for these models, on the given data or those they were trained on; Ctrl-C stops the children."""
    container = Container()
    with stopping(container.stop):
        sources = container.sources(choices.model, choices.experiment)
        root = container.settings.root / (choices.data or _trained_on(names, sources))
        started = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        yield ScoringSession(
            container=container,
            choices=choices,
            sources=sources,
            manifest=prepare_dataset(container.datasets.source(root, echo)),
            examination=replace(
                container.examination(
                    root,
                    workdir=container.settings.runs / f"evaluation-{started}",
                    resampling=choices.resampling,
                    experiment=choices.experiment,
                ),
                detection_limits=choices.detection_limits,
                exact_classes=choices.exact_classes,
            ),
        )


def echo(text: str) -> None:
    """Print a line of progress on stderr."""
    click.echo(text, err=True)


def _trained_on(names: Sequence[str], sources: Sources) -> str:
    for name in names:
        run = None if Path(name).suffix == RESULTS_SUFFIX else run_of(name, sources)
        if run is not None and DATASET_PATH_TAG in run.tags:
            return run.tags[DATASET_PATH_TAG]
    raise ConfigError(f"no data set is known for {', '.join(names)}", hint="give its folder with --data")


def _write(path: Path, page: str) -> None:
    try:
        write_whole(path, page)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror or error}", hint="give another path with --html"
        ) from error
    echo(f"Page: {path}")
