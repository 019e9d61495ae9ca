"""The checks of a decision that need no test image: proof, choice on val, and a candidate that is there already."""

from collections.abc import Sequence

from cv_yolo.domain.promotion import Champion, Check, Outcome
from cv_yolo.domain.runs import RunRow
from cv_yolo.domain.selection import Selection
from cv_yolo.domain.versions import Stage


def proof(rows: Sequence[RunRow], proven: int) -> Check:
    """Whether any of the runs ended with weights that load and an evaluation."""
    return Check(
        name="proof",
        required="at least one run with weights that load and an evaluation",
        measured=f"{proven} of {len(rows)} runs",
        outcome=Outcome.PASSED if proven else Outcome.FAILED,
        sentence=f"{proven} of {len(rows)} runs ended with weights that load and an evaluation of their own.",
    )


def chosen_on_val(rows: Sequence[RunRow], selection: Selection) -> Check:
    """Which run val chose, and how far that can be told; choosing refuses nobody."""
    names = {row.run_id: row.name for row in rows}
    close = len(selection.within_noise)
    if not selection.differences:
        sentence = f"{names[selection.chosen]} is the only run that was scored."
    elif close == 1:
        sentence = f"{names[selection.chosen]} has the best {selection.metric} on val, beyond noise."
    else:
        sentence = f"{close} runs cannot be told apart by {selection.metric} on val; the cheapest of them is "
        sentence += f"{names[selection.chosen]}."
    return Check(
        name="selection",
        required=f"the cheapest of the runs that cannot be told from the best {selection.metric} on val",
        measured=f"{close} of {len(rows)} runs within noise",
        outcome=Outcome.PASSED,
        sentence=sentence,
    )


def is_champion(champion: Champion, stage: Stage) -> Check:
    """That the candidate is in the stage already."""
    return Check(
        name="champion",
        required=f"a version that is not in {stage} yet",
        measured="the same run",
        outcome=Outcome.PASSED,
        sentence=f"Version {champion.version} in {stage} is this run: nothing changes, no test image was looked at.",
    )
