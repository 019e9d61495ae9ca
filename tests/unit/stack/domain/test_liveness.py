"""Only a server that shows no sign of work is hung."""

from itertools import product

from cv_yolo_stack.domain.liveness import Health, Signs, judge

ALL = [
    Signs(used=used, refused=refused, answered=answered, works=works, suspended=suspended, needs_missing=missing)
    for used, refused, answered, works, suspended, missing in product([True, False], repeat=6)
]


def test_one_that_was_used_is_healthy_whatever_else_was_seen():
    assert {judge(signs) for signs in ALL if signs.used} == {Health.HEALTHY}


def test_one_that_is_suspended_is_hung():
    assert {judge(signs) for signs in ALL if signs.suspended and not signs.used} == {Health.HUNG}


def test_one_that_shows_a_sign_of_work_is_never_hung():
    working = [each for each in ALL if not each.suspended and (each.answered or each.works or each.needs_missing)]
    assert Health.HUNG not in {judge(signs) for signs in working}


def test_one_that_refuses_is_failing_and_one_that_shows_nothing_is_hung():
    assert judge(Signs(used=False, refused=True)) is Health.FAILING
    assert judge(Signs(used=False, works=True)) is Health.BUSY
    assert judge(Signs(used=False)) is Health.HUNG
