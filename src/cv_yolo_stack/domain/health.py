"""Whether a service does what we need of it, one finding for each thing that was tried, and how that is judged."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

CLOCK_LIMIT_S: Final = 60
SIGNATURE_LIMIT_MIN: Final = 15  # from here on S3 refuses every signature
ROUND_TRIP_LIMIT_MS: Final = 1000
REFUSALS: Final = frozenset({401, 403})
SHOWN_AS_MS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One check of a service: what was expected, what was found, and how to fix it if it failed.

    `passed` is None for what was not tried, with the reason in `found`, and for what is only informational.
    `took_ms` is how long the trial took.
    """

    service: str
    name: str
    passed: bool | None
    expected: str
    found: str
    remedy: str | None = None
    took_ms: float | None = None

    def __post_init__(self) -> None:
        """A failure needs a remedy."""
        if self.passed is False and not self.remedy:
            raise ValueError(f"{self.service}: {self.name}: a failed finding needs a remedy")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOutcome:
    """The outcome of one trial; `remedy` replaces the usual one where the outcome allows a better one."""

    passed: bool | None
    found: str
    remedy: str | None = None


def healthy(findings: tuple[CheckResult, ...]) -> bool:
    """Whether nothing failed; what was not tried does not count."""
    return not any(finding.passed is False for finding in findings)


def judge_clock(ahead_s: float | None) -> CheckOutcome:
    """Whether a server's clock, which is ahead of ours by so many seconds, can sign and be signed for."""
    if ahead_s is None:
        return CheckOutcome(passed=None, found="not tried: the server does not return its time")
    if abs(ahead_s) < 2:  # noqa: PLR2004 - HTTP has whole seconds, and the answer took some time
        return CheckOutcome(passed=True, found="as ours")
    amount = f"{abs(ahead_s):.0f} s" if abs(ahead_s) < 120 else f"{abs(ahead_s) / 60:.0f} min"  # noqa: PLR2004
    side = "ahead of" if ahead_s > 0 else "behind"
    return CheckOutcome(passed=abs(ahead_s) <= CLOCK_LIMIT_S, found=f"{amount} {side} ours")


def judge_refusal(answers: Mapping[str, int], *, refusals: Collection[int] = REFUSALS) -> CheckOutcome:
    """Whether everything that was asked for without the right to it was refused; HTTP status by what was asked for."""
    let_in = {what: status for what, status in answers.items() if status not in refusals}
    if let_in:
        return CheckOutcome(passed=False, found=", ".join(f"{what}: {status}" for what, status in let_in.items()))
    return CheckOutcome(passed=True, found=f"refused ({', '.join(map(str, sorted(set(answers.values()))))})")


def judge_version(server: str, client: str, *, exactly: bool) -> CheckOutcome:
    """Whether client and server understand each other: the same version, or the same major number.

    Another minor number is informational unless `exactly` is set.
    """
    if server == client:
        return CheckOutcome(passed=True, found=server)
    found = f"{server}, and the client here is {client}"
    (major, *rest), (client_major, *client_rest) = server.split("."), client.split(".")
    if exactly or major != client_major:
        return CheckOutcome(passed=False, found=found)
    return CheckOutcome(passed=True if rest[:1] == client_rest[:1] else None, found=found)


def judge_round_trip(took_ms: float) -> CheckOutcome:
    """Whether requests come back soon enough; a run makes hundreds of them."""
    return CheckOutcome(passed=took_ms <= ROUND_TRIP_LIMIT_MS, found=duration_in_words(took_ms))


def duration_in_words(took_ms: float) -> str:
    """`3 ms`, `12.5 s`."""
    return f"{took_ms:.0f} ms" if took_ms < SHOWN_AS_MS else f"{took_ms / 1000:.1f} s"
