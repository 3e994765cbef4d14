"""The end of an asyncio server."""

import asyncio


async def stop_accepting(server: asyncio.Server) -> None:
    """Accept no further connection, and wait until the handlers of accepted ones run; then `server.close` is safe.

    A server that is closed between the two leaks the connection (CPython issue 109564).
    """
    loop = asyncio.get_running_loop()
    for each in server.sockets:
        loop.remove_reader(each.fileno())
    for _ in range(3):  # the task that accepts, the protocol's start, its handler
        await asyncio.sleep(0)
