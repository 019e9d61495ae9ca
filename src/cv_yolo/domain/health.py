"""Whether a service does what we need of it, one finding for each thing that was tried."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was tried on a service: what was expected, what came, and what mends it where it failed.

    `passed` is None for what was not tried, with the reason in `found`. `took_ms` is the round trip.
    """

    service: str
    name: str
    passed: bool | None
    expected: str
    found: str
    remedy: str | None = None
    took_ms: float | None = None

    def __post_init__(self) -> None:
        """A failure without a remedy helps nobody."""
        if self.passed is False and not self.remedy:
            raise ValueError(f"{self.service}: {self.name}: a failed finding needs a remedy")


def healthy(findings: tuple[Finding, ...]) -> bool:
    """Whether nothing failed; what was not tried does not count."""
    return not any(finding.passed is False for finding in findings)
