"""Doors: addresses here that lead to addresses elsewhere, byte for byte. `DOORS="127.0.0.1:9000=object-store:9000 …"`.

It runs in another container's network, so that `localhost` there leads where it leads on the host. When that container
is started anew it has a new network, in which nobody opens these doors: so it ends where none of them leads anywhere
any more, and Docker starts it in the new one. `door.py check` succeeds where each door leads somewhere.
"""

import asyncio
import os
import sys

PATIENCE_S = 5.0
ROUND_S = 15.0
LAST_ROUND = 4

Address = tuple[str, int]


def clients(text: str) -> list[tuple[Address, Address]]:
    """From where to where, from `HOST:PORT=HOST:PORT`, separated by blanks."""
    return [(_address(way[0]), _address(way[1])) for way in (each.split("=", 1) for each in text.split())]


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)


async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Everything from one side to the other, until the source ends; then the target is told so. A break ends both."""
    try:
        while chunk := await source.read(65536):
            target.write(chunk)
            await target.drain()
        target.write_eof()
    except OSError:  # the end of a broken connection cannot be told (ENOTCONN), which is no ConnectionError
        target.close()


async def lead(target: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one visitor, until both sides have said everything."""
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
    """Whether somebody listens there."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(*target), PATIENCE_S)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def open_doors(ways: list[tuple[Address, Address]]) -> int:
    """Serve until nothing is behind any door for several rounds; returns the exit code."""
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
    """Returns 0 where every door is open here and leads somewhere."""
    found = await asyncio.gather(*(leads_somewhere(each) for way in ways for each in way))
    return 0 if all(found) else 1


if __name__ == "__main__":
    wanted = clients(os.environ["DOORS"])
    sys.exit(asyncio.run(check(wanted) if sys.argv[1:] == ["check"] else open_doors(wanted)))
