"""TCP forwarder from local addresses to other services: `DOORS="127.0.0.1:9000=object-store:9000 …"`.

It runs in the network of another container, so that `localhost` addresses work there as they do on the host. When that
container restarts, it gets a new network in which the forwarder does not run. The forwarder therefore exits when it
cannot reach any target, and Docker restarts it in the new network. `door.py check` succeeds if every target is open.
"""

import asyncio
import os
import sys

PATIENCE_S = 5.0
ROUND_S = 15.0
LAST_ROUND = 4

Address = tuple[str, int]


def clients(text: str) -> list[tuple[Address, Address]]:
    """Parse pairs of local and target address, `HOST:PORT=HOST:PORT`, separated by spaces."""
    return [(_address(way[0]), _address(way[1])) for way in (each.split("=", 1) for each in text.split())]


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)


async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Copy everything from source to target, then send EOF. If a connection breaks, close the target."""
    try:
        while chunk := await source.read(65536):
            target.write(chunk)
            await target.drain()
        target.write_eof()
    except OSError:  # writing EOF to a broken connection raises ENOTCONN, which is not a ConnectionError
        target.close()


async def lead(target: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forward one connection, until both sides have sent everything."""
    try:
        there = await asyncio.wait_for(asyncio.open_connection(*target), PATIENCE_S)
    except (OSError, TimeoutError) as error:
        print(f"{target[0]}:{target[1]}: {error or 'no answer'}", file=sys.stderr, flush=True)
        writer.close()
        return
    try:
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))
    finally:
        for side in (writer, there[1]):
            side.close()


async def leads_somewhere(target: Address) -> bool:
    """Whether something listens at the address."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(*target), PATIENCE_S)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def open_doors(ways: list[tuple[Address, Address]]) -> int:
    """Forward connections until no target has been reachable for several rounds; returns the exit code."""
    for here, target in ways:
        await asyncio.start_server(lambda r, w, target=target: lead(target, r, w), *here)
        print(f"{here[0]}:{here[1]} leads to {target[0]}:{target[1]}", flush=True)
    in_vain = 0
    while in_vain < LAST_ROUND:
        await asyncio.sleep(ROUND_S)
        found = await asyncio.gather(*(leads_somewhere(target) for _, target in ways))
        in_vain = 0 if any(found) else in_vain + 1
    print("no door leads anywhere any more", file=sys.stderr, flush=True)
    return 1


async def check(ways: list[tuple[Address, Address]]) -> int:
    """Returns 0 if every local address accepts connections and every target is reachable."""
    found = await asyncio.gather(*(leads_somewhere(each) for way in ways for each in way))
    return 0 if all(found) else 1


if __name__ == "__main__":
    wanted = clients(os.environ["DOORS"])
    sys.exit(asyncio.run(check(wanted) if sys.argv[1:] == ["check"] else open_doors(wanted)))
