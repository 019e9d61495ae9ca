"""Does the register keep its word? Promotions that are killed, that come at once, and both, on real registries.

    python -m benchmarks.register_faults                              # everything, about a quarter of an hour
    python -m benchmarks.register_faults --quick                      # under a minute
    python -m benchmarks.register_faults --promotions N --processes P --json

Each study has its own register (MLflow and ZenML on SQLite, the audit log as a file), all in a temporary folder.

crashes   a process promotes, rolls back or withdraws and is killed (SIGKILL), at a random time or before a random
          write; another one runs what `cv-yolo models check` runs; N times
races     P processes promote different versions at once, all to one stage or half of them to each; N / 2 rounds
both      the same, while one process or more are killed; N / 3 rounds

After each round: every entry that was confirmed to a process is in the log, and so is every earlier entry; of those
judged against the same holder at most one was written, and exactly one where no process died; no registry has two
versions in one stage; the log is intact; and after the repair both registries agree with the log. Anything else counts
as lost, and the exit code is 1.

The costs are measured side by side: the bare calls to both registries, our promotion alone, and under P processes.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.register_processes import load_libraries
from benchmarks.register_study import Study, StudyCounts, a_study
from cv_yolo.container import Container
from cv_yolo.settings import Settings

SEED: Final = 2025


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Rounds of each study, how many processes race, and how many promotions measure the costs."""

    crashes: int
    races: int
    both: int
    processes: int
    costs: int


def main() -> int:
    """Run all studies, then print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--promotions", type=int, default=240, help="kills of the first study; sizes the others")
    parser.add_argument("--processes", type=int, default=4, help="promotions at the same time")
    parser.add_argument("--quick", action="store_true", help="few of everything, in under a minute")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    asked = parser.parse_args()
    count, processes = (9, 2) if asked.quick else (asked.promotions, asked.processes)
    plan = Plan(
        crashes=count,
        races=max(1, count // 2),
        both=max(1, count // 3),
        processes=processes,
        costs=max(3, min(20, count // 4)),
    )
    began = time.monotonic()
    costs, tallies = run(plan)
    figures = _figures(costs, tallies, plan) | {"seconds": round(time.monotonic() - began)}
    print(json.dumps(figures) if asked.json else _text(figures))
    return 1 if any(tally.wrong for tally in tallies) else 0


def run(plan: Plan) -> tuple[dict[str, float], list[StudyCounts]]:
    """Costs in seconds, and what happened in the three studies."""
    with tempfile.TemporaryDirectory(prefix="register_faults_", ignore_cleanup_errors=True) as root:
        settings, rng = Settings(root=Path(root)), random.Random(SEED)
        Container(settings)
        load_libraries()
        with a_study("costs", settings, processes=1, rng=rng) as study:
            costs = _costs(study, plan.costs)
        horizon_s, tallies = costs["alone"], []
        with a_study("crashes", settings, processes=1, rng=rng) as study:
            for number in range(plan.crashes):
                _print_progress(study, number, plan.crashes)
                study.crash(horizon_s)
            tallies.append(study.tally)
        for name, rounds in (("races", plan.races), ("both", plan.both)):
            with a_study(name, settings, processes=plan.processes, rng=rng) as study:
                for number in range(rounds):
                    _print_progress(study, number, rounds)
                    study.race(horizon_s, doomed=rng.randint(1, plan.processes - 1) if name == "both" else 0)
                tallies.append(study.tally)
    return costs, tallies


def _print_progress(study: Study, number: int, rounds: int) -> None:
    if number % 10 == 0:
        print(f"{study.tally.study}: {number} of {rounds} rounds", file=sys.stderr, flush=True)


def _costs(study: Study, count: int) -> dict[str, float]:
    """Medians of the bare calls and of our promotion, taken by turns: what slows down one slows down the other."""
    study.alone("promote")  # begins the log, and warms up
    pairs = [(study.alone("bare"), study.alone("promote")) for _ in range(count)]
    return {"bare": median(bare for bare, _ in pairs), "alone": median(alone for _, alone in pairs)}


def _figures(costs: dict[str, float], tallies: Sequence[StudyCounts], plan: Plan) -> dict[str, Any]:
    raced, conflict = median(tallies[1].won_seconds), median(tallies[1].conflict_seconds)
    repairs = [seconds for tally in tallies for seconds in tally.repair_seconds]
    return {
        "processes": plan.processes,
        "bare_s": costs["bare"],
        "alone_s": costs["alone"],
        "ratio_to_bare": costs["alone"] / costs["bare"],
        "raced_s": raced,
        "ratio_to_alone": raced / costs["alone"],
        "conflict_s": conflict,
        "repair_s": median(repairs) if repairs else None,
        "studies": [
            {name: value for name, value in asdict(tally).items() if not name.endswith("seconds")} for tally in tallies
        ],
    }


def _text(figures: dict[str, Any]) -> str:
    names = [name for name in figures["studies"][0] if name != "complaints"]
    rows = [names, *([str(study[name]) for name in names] for study in figures["studies"])]
    lines = ["  ".join(f"{cell:>10}" for cell in row) for row in rows]
    repair = "" if figures["repair_s"] is None else f"; a repair {figures['repair_s']:.2f} s"
    return "\n".join(
        [
            *lines,
            *[f"{study['study']}: {said}" for study in figures["studies"] for said in study["complaints"]],
            f"a promotion alone {figures['alone_s']:.2f} s, {figures['ratio_to_bare']:.1f} times the bare calls to "
            f"both registries ({figures['bare_s']:.2f} s)",
            f"a promotion that wins among {figures['processes']} processes {figures['raced_s']:.2f} s, "
            f"{figures['ratio_to_alone']:.1f} times one alone; a late one fails after {figures['conflict_s']:.2f} s"
            f"{repair}",
            f"{figures['seconds']} s in all",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
