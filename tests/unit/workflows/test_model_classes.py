"""A registered model is one of its first version's classes: another data set is refused before it is trained on."""

import pytest

from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.errors import InputError
from cv_yolo.files import sha256_of
from cv_yolo.ports.records import NewRun
from cv_yolo.workflows.model_classes import require_model_of
from cv_yolo.workflows.register import commit
from tests.builders import NOON, a_manifest, a_new_version, a_proposal
from tests.fakes import fake_sources

PARAMS = {"epochs": "3", "image_size_px": "416", "device": "cpu", "threads": "2"}


@pytest.fixture
def sources(tmp_path):
    return fake_sources(tmp_path)


def version_of(sources, tmp_path, *names, recorded=True, kept=True):
    """A version whose weights name these classes; in both registries, as an earlier release left it if not recorded."""
    weights = tmp_path / "best.pt"
    weights.write_text(f"{names} {len(sources.tracker.runs())}", encoding="utf-8")
    run_id = sources.tracker.start(NewRun(name="e3_s416", params=PARAMS, tags={}))
    if kept:
        sources.tracker.log_artifacts(run_id, [weights], "weights")
    sources.inspector.by_sha256[sha256_of(weights)] = names
    new = a_new_version(run_id=run_id, weights_sha256=sha256_of(weights), classes=names if recorded else None)
    version = sources.register.tracking.register(new)
    sources.register.pipeline.register(new, version=version.version)
    return version


def promoted(sources, version):
    proposal = a_proposal(stage=Stage.STAGING, version=version.version, run_id=version.run_id)
    commit(proposal, sources.register, actor="anna@desk", now=NOON)


def data_of(*names):
    return a_manifest(name="kangaroos", classes=names)


def refusal(sources, *names):
    with pytest.raises(InputError) as refused:
        require_model_of(data_of(*names), sources)
    return refused.value


def test_a_model_without_versions_takes_any_classes(sources):
    require_model_of(data_of("kangaroo"), sources)


def test_the_first_version_sets_the_classes(sources, tmp_path):
    version_of(sources, tmp_path, "raccoon", "fox")
    require_model_of(data_of("raccoon", "fox"), sources)
    require_model_of(data_of("fox", "raccoon"), sources)
    error = refusal(sources, "kangaroo")
    assert error.exit_code == 2
    assert error.message == (
        "the registered model cv_yolo_tiny detects raccoon, fox (version 1), the data set kangaroos kangaroo: "
        "versions of other classes cannot be compared"
    )
    assert "use another registered model: `registered_model: NAME` in the experiment" in error.hint
    assert sources.inspector.requests == []


@pytest.mark.parametrize("names", [("raccoon",), ("raccoon", "fox", "dog"), ("Raccoon", "fox")])
def test_fewer_more_and_differently_written_classes_are_other_classes(sources, tmp_path, names):
    version_of(sources, tmp_path, "raccoon", "fox")
    assert "detects raccoon, fox (version 1)" in refusal(sources, *names).message


def test_a_version_of_an_earlier_release_is_inspected(sources, tmp_path):
    version_of(sources, tmp_path, "raccoon", recorded=False)
    require_model_of(data_of("raccoon"), sources)
    assert "detects raccoon (version 1)" in refusal(sources, "kangaroo").message
    assert len(sources.inspector.requests) == 2


def test_a_champion_of_other_classes_is_found_whatever_came_first(sources, tmp_path):
    version_of(sources, tmp_path, "kangaroo", recorded=False)
    promoted(sources, version_of(sources, tmp_path, "raccoon", recorded=False))
    assert "detects raccoon (version 2)" in refusal(sources, "kangaroo").message


def test_of_several_old_versions_in_no_stage_the_newest_is_asked(sources, tmp_path):
    version_of(sources, tmp_path, "raccoon", recorded=False, kept=False)
    version_of(sources, tmp_path, "kangaroo", recorded=False)
    require_model_of(data_of("kangaroo"), sources)


def test_classes_that_are_no_longer_known_are_not_taken_for_the_same(sources, tmp_path):
    promoted(sources, version_of(sources, tmp_path, "kangaroo", recorded=False, kept=False))
    error = refusal(sources, "kangaroo")
    assert "the classes of version 1 of cv_yolo_tiny are not known: run e3_s416" in error.message
    assert "--registered-model NAME" in error.hint
