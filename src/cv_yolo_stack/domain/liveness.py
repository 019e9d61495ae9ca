"""Whether a server that runs does its work: judged by what a probe of use, a cheap probe and its processes show."""

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """The health of a running server.

    `FAILING` answers, and refuses or fails: a restart would change nothing. `BUSY` did not get to the probe of use, and
    shows that it works. `HUNG` shows nothing.
    """

    HEALTHY = "healthy"
    FAILING = "failing"
    BUSY = "busy"
    HUNG = "hung"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """The observations of a server.

    `used`: the probe of use was done; `refused`: it was answered, by an error; `answered`: the cheap probe was;
    `works`: its processes used the processor or waited for a disk meanwhile; `suspended`: one of them is stopped by a
    signal; `needs_missing`: a server that it needs is not healthy.
    """

    used: bool
    refused: bool = False
    answered: bool = False
    works: bool = False
    suspended: bool = False
    needs_missing: bool = False


def judge(signs: Signs) -> Health:
    """The server's health; in doubt it is not hung, since hung servers are restarted."""
    if signs.used:
        return Health.HEALTHY
    if signs.suspended:
        return Health.HUNG
    if signs.refused:
        return Health.FAILING
    if signs.answered or signs.works or signs.needs_missing:
        return Health.BUSY
    return Health.HUNG
