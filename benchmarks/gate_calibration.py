"""Is the gate calibrated? Simulated models with known true metrics, scored, compared and judged many times.

    python -m benchmarks.gate_calibration                        # everything
    python -m benchmarks.gate_calibration --quick                # under a minute, fewer trials: what the tests run
    python -m benchmarks.gate_calibration --json
    python -m benchmarks.gate_calibration --figure PATH.svg      # only draws: interval width and power by images

What is demanded: with one class and with three, from 100 images on, 95 % intervals cover the truth in 93 to 97 % of the
trials; a superiority gate promotes an equal model in at most 5 %, and a model that is better by 0.05 in at least 80 %,
at 1 000 images where classes are equally frequent (one, or three), at 1 500 where the rarest of three is one object in
ten; a non-inferiority gate promotes a model that is worse by more than the margin in at most 5 %; an equal model is
rejected for one of its classes in at most 5 %.

Informational only: the power with fewer images; the intervals at 30 images, the least that a policy accepts by
default; and the intervals with twelve classes, the rarest of which is in about four of 100 images.

The truth is what the same evaluator says on 800 000 simulated images.

Each rate comes with its own 95 % interval (Wilson's), since the trials are a sample too. A rate outside its demand
`holds within chance` where this interval reaches the demand, and `does not hold` otherwise; then the exit code is 1.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Final

from benchmarks.gate_figure import draw
from benchmarks.gate_trials import METRIC, SCENARIOS, Study, Trial, Truth, run_trials, true_figures
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.domain.promotion.decision import Verdict

SEED: Final = 2025
COVERAGE: Final = (0.93, 0.97)
POWER: Final = "superiority/better"
GUARD: Final = "class guard/equal"
PROMOTIONS: Final = {"superiority/equal": (0.0, 0.05), POWER: (0.8, 1.0), "non-inferiority/worse": (0.0, 0.05)}
REJECTIONS: Final = {GUARD: (0.0, 0.05)}
ENOUGH_TO_COVER: Final = 100
ENOUGH_FOR_POWER: Final = {"one class": 1000, "three even classes": 1000, "three classes": 1500}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is simulated: studies as (scenario, images, trials, light), and images for the true metrics."""

    studies: tuple[tuple[str, int, int, bool], ...]
    truth_images: int
    resampling: Resampling


FEW: Final = ("one class", "three classes")
FULL: Final = Plan(
    studies=(
        *((name, images, 1000, False) for images in (100, 300) for name in FEW),
        ("one class", 1000, 1000, False),
        ("three classes", 1000, 1000, True),
        ("three classes", 1500, 1000, True),
        ("three even classes", 1000, 1000, True),
        *((name, 30, 1000, False) for name in FEW),
        *(("twelve classes", images, 1000, True) for images in (30, 100)),
    ),
    truth_images=800_000,
    resampling=Resampling(resamples=500),
)
QUICK: Final = Plan(
    studies=(("one class", 100, 120, False), ("one class", 1000, 30, True)),
    truth_images=40_000,
    resampling=Resampling(resamples=200),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One rate, with its Monte-Carlo interval, and the demand (None: informational)."""

    scenario: str
    images: int
    what: str
    rate: float
    low: float
    high: float
    demand: tuple[float, float] | None = None

    @property
    def holds(self) -> bool:
        """Whether the demand is met, within the precision of the trials."""
        return self.demand is None or (self.low <= self.demand[1] and self.high >= self.demand[0])

    @property
    def word(self) -> str:
        """`holds`, `holds within chance` or `does not hold`."""
        if self.demand is None:
            return "informational"
        inside = self.demand[0] <= self.rate <= self.demand[1]
        return "holds" if inside else "holds within chance" if self.holds else "does not hold"


def main() -> int:
    """Simulate, then print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few trials, in under a minute")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--figure", type=Path, help="draw interval width and power by number of images, nothing else")
    parser.add_argument("--processes", type=int, default=1, help="trials at the same time")
    asked = parser.parse_args()
    if asked.figure is not None:
        draw(asked.figure, resampling=FULL.resampling, seed=SEED, processes=asked.processes)
        return 0
    started = time.monotonic()
    lines = []
    for line in calibrate(QUICK if asked.quick else FULL, processes=asked.processes):
        lines.append(line)
        if not asked.json:
            print(_text(line), flush=True)
    missed = sum(not line.holds for line in lines)
    seconds = round(time.monotonic() - started)
    if asked.json:
        print(json.dumps({"seconds": seconds, "lines": [asdict(line) | {"word": line.word} for line in lines]}))
    else:
        print(f"{sum(line.demand is not None for line in lines)} demands, {missed} missed; {seconds} s")
    return 1 if missed else 0


def calibrate(plan: Plan, *, processes: int = 1) -> Iterator[Line]:
    """Every rate of the plan, study by study."""
    truths: dict[str, Truth] = {}
    for name, images, trials, light in plan.studies:
        scenario = SCENARIOS[name]
        if name not in truths:
            truths[name] = true_figures(scenario, images=plan.truth_images, seed=SEED)
        study = Study(scenario=scenario, images=images, resampling=plan.resampling, seed=SEED, light=light)
        yield from rates(study, truths[name], list(run_trials(study, trials, processes=processes)))


def rates(study: Study, truth: Truth, trials: Sequence[Trial]) -> Iterator[Line]:
    """How often each interval covers the truth, and how often each gate promotes."""
    for name in trials[0].estimates:
        covered = [_covers(trial, name, truth.value[name]) for trial in trials]
        what = f"95 % interval of {name} covers {truth.value[name]:.4f}"
        demanded = study.images >= ENOUGH_TO_COVER and study.scenario.name in ENOUGH_FOR_POWER
        yield _rate(study, what, covered, COVERAGE if demanded else None)
    for name in trials[0].verdicts:
        difference = truth.value.get(f"{name.split('/')[1]}-champion/{METRIC}", 0.0)
        informational = name == POWER and study.images < ENOUGH_FOR_POWER.get(study.scenario.name, math.inf)
        asked, word = (Verdict.REJECT, "rejects") if name in REJECTIONS else (Verdict.PROMOTE, "promotes")
        if name in REJECTIONS and not study.light:
            continue  # classes are scored in light studies only
        demand = None if informational else (PROMOTIONS | REJECTIONS).get(name)
        hits = [trial.verdicts[name] is asked for trial in trials]
        yield _rate(study, f"{name} {word} what differs by {difference:+.4f}", hits, demand)


def _covers(trial: Trial, name: str, value: float) -> bool:
    estimate = trial.estimates.get(name)
    interval = None if estimate is None else estimate.interval
    return interval is not None and interval.low <= value <= interval.high


def _rate(study: Study, what: str, hits: Sequence[bool], demand: tuple[float, float] | None) -> Line:
    low, high = wilson(sum(hits), len(hits))
    return Line(
        scenario=study.scenario.name,
        images=study.images,
        what=what,
        rate=sum(hits) / len(hits),
        low=low,
        high=high,
        demand=demand,
    )


def wilson(hits: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of a rate. Source: Wilson, "Probable inference …", J. Amer. Statist. Assoc. 1927."""
    z, rate = NormalDist().inv_cdf((1 + confidence) / 2), hits / trials
    centre, scale = rate + z**2 / (2 * trials), 1 + z**2 / trials
    reach = z * (rate * (1 - rate) / trials + z**2 / (4 * trials**2)) ** 0.5
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


def _text(line: Line) -> str:
    demand = "" if line.demand is None else f"demanded {100 * line.demand[0]:.0f} to {100 * line.demand[1]:.0f} %"
    measured = f"{100 * line.rate:5.1f} % [{100 * line.low:.1f}, {100 * line.high:.1f}]"
    return f"{line.scenario:13} {line.images:5}  {line.what:62} {measured:22} {demand:22} {line.word}"


if __name__ == "__main__":
    sys.exit(main())
