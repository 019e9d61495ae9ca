"""The rule by which a version is promoted."""

import pytest

from cv_yolo.domain.promotion.policy import Gate, Rule
from cv_yolo.domain.promotion.versions import Stage
from tests.builders import a_gate, a_policy


def test_superiority_asks_for_a_difference_above_zero_whatever_the_margin():
    assert a_gate(rule=Rule.SUPERIORITY, margin=0.02).required_difference == 0.0


def test_non_inferiority_asks_for_a_difference_above_the_margin_below_zero():
    assert a_gate(rule=Rule.NON_INFERIORITY, margin=0.02).required_difference == -0.02


def test_by_default_a_gate_asks_for_the_whole_evidence():
    gate = Gate()
    assert (gate.rule, gate.provisional, gate.floors) == (Rule.NON_INFERIORITY, False, {})


def test_a_policy_without_gates_is_refused():
    with pytest.raises(ValueError, match="gates into staging, into production, or both"):
        a_policy(gates={})


def test_there_is_no_gate_into_the_archive():
    with pytest.raises(ValueError, match="gates into staging"):
        a_policy(gates={Stage.STAGING: a_gate(), Stage.ARCHIVED: a_gate()})


def test_production_cannot_be_entered_provisionally():
    with pytest.raises(ValueError, match="production needs the whole gate"):
        a_policy(gates={Stage.PRODUCTION: a_gate(provisional=True)})


def test_staging_can_be_entered_provisionally():
    assert a_policy(gate=a_gate(provisional=True)).gates[Stage.STAGING].provisional
