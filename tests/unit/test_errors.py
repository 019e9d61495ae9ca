"""The exception tree, and the exit codes it promises."""

import pytest

from cv_yolo import errors

EXIT_CODES = {
    errors.CvYoloError: 1,
    errors.InputError: 2,
    errors.ConfigError: 2,
    errors.DatasetError: 2,
    errors.WeightsError: 2,
    errors.NotFoundError: 2,
    errors.ServiceUnavailableError: 3,
    errors.AccessRefusedError: 3,
    errors.DiskFullError: 3,
    errors.PolicyRefusedError: 4,
    errors.PromotionConflictError: 4,
    errors.LogGrewError: 4,
    errors.AuditLogError: 1,
    errors.RunFailedError: 1,
    errors.TrainingFailedError: 1,
    errors.EvaluationFailedError: 1,
    errors.StoppedError: 130,
}


def _kinds(kind):
    return {kind}.union(*(_kinds(each) for each in kind.__subclasses__()))


def test_every_error_has_the_exit_code_that_was_promised():
    declared = {kind for kind in _kinds(errors.CvYoloError) if kind.__module__ == "cv_yolo.errors"}
    assert {kind: kind.exit_code for kind in declared} == EXIT_CODES


def test_the_tree_in_the_docstring_names_every_error():
    assert [kind.__name__ for kind in EXIT_CODES if kind.__name__ not in errors.__doc__] == []


@pytest.mark.parametrize("kind", EXIT_CODES)
def test_an_error_says_what_went_wrong_and_what_to_do(kind):
    error = kind("a.yaml: no such key", hint="remove it")
    assert (str(error), error.message, error.hint) == ("a.yaml: no such key", "a.yaml: no such key", "remove it")
    assert kind("no hint").hint is None


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\x1b[34m\x1b[1mtrain: \x1b[0mno labels", "train: no labels"),
        ("\x1b]8;;https://x.example\x1b\\a link\x1b]8;;\x07", "a link"),
        ("\x1b[2K\x1b[38;5;196m3/40", "3/40"),
        ("an array[0m] stays", "an array[0m] stays"),
    ],
)
def test_colours_of_libraries_are_no_part_of_a_message(text, plain):
    assert errors.without_escapes(text) == plain
    assert errors.one_line(ValueError(text)) == f"ValueError: {plain}"


def test_the_reason_of_a_failure_is_one_line():
    assert errors.one_line(errors.TrainingFailedError("out of\n  memory\t!")) == "TrainingFailedError: out of memory !"


def test_an_error_without_a_message_is_shown_by_its_class():
    assert errors.one_line(KeyboardInterrupt()) == "KeyboardInterrupt"
