"""Forwards local addresses to others, byte for byte. `DOORS="127.0.0.1:9000=object-store:9000 …"`.

It runs in another container's network, so that `localhost` means the same there as on the host. When that container
is recreated, it has a new network without these forwards: so this exits once no target is reachable any more, and
Docker restarts it in the new network. `door.py check` succeeds if every target is reachable.
"""

import asyncio
import os
import sys

TIMEOUT_S = 5.0
ROUND_S = 15.0
LAST_ROUND = 4

Address = tuple[str, int]


def forwards(text: str) -> list[tuple[Address, Address]]:
    """Parse `HOST:PORT=HOST:PORT`, separated by blanks, into pairs of listening address and target."""
    return [(_address(way[0]), _address(way[1])) for way in (each.split("=", 1) for each in text.split())]


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)


async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Copy from one side to the other until the source is closed, then close the target. An error closes both."""
    try:
        while chunk := await source.read(65536):
            target.write(chunk)
            await target.drain()
        target.write_eof()
    except OSError:  # a broken connection cannot be half-closed (ENOTCONN), which is no ConnectionError
        target.close()


async def lead(target: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection, until both sides are closed."""
    try:
        there = await asyncio.wait_for(asyncio.open_connection(*target), TIMEOUT_S)
    except (OSError, TimeoutError) as error:
        print(f"{target[0]}:{target[1]}: {error or 'no answer'}", file=sys.stderr, flush=True)
        writer.close()
        return
    try:
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))
    finally:
        for side in (writer, there[1]):
            side.close()


async def is_reachable(target: Address) -> bool:
    """Whether the target accepts connections."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(*target), TIMEOUT_S)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def serve(ways: list[tuple[Address, Address]]) -> int:
    """Serve until no target is reachable for several rounds; returns the exit code."""
    for here, target in ways:
        await asyncio.start_server(lambda r, w, target=target: lead(target, r, w), *here)
        print(f"{here[0]}:{here[1]} leads to {target[0]}:{target[1]}", flush=True)
    failed_rounds = 0
    while failed_rounds < LAST_ROUND:
        await asyncio.sleep(ROUND_S)
        found = await asyncio.gather(*(is_reachable(target) for _, target in ways))
        failed_rounds = 0 if any(found) else failed_rounds + 1
    print("no target is reachable any more", file=sys.stderr, flush=True)
    return 1


async def check(ways: list[tuple[Address, Address]]) -> int:
    """Returns 0 if every address is served here and every target is reachable."""
    found = await asyncio.gather(*(is_reachable(each) for way in ways for each in way))
    return 0 if all(found) else 1


if __name__ == "__main__":
    wanted = forwards(os.environ["DOORS"])
    sys.exit(asyncio.run(check(wanted) if sys.argv[1:] == ["check"] else serve(wanted)))
