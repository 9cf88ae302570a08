"""The one door to other hosts: whether a TCP port answers, and how it does not."""

import asyncio
import errno
import socket
from enum import StrEnum


class Reach(StrEnum):
    """How a port answered, in the words that people read."""

    OPEN = "open"
    REFUSED = "connection refused"
    TIMED_OUT = "timed out"
    UNKNOWN_HOST = "unknown host"
    NO_ROUTE = "no route to host"


NO_ROUTE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EACCES, errno.EPERM}


class Network:
    """The network as the bot sees it."""

    async def tcp(self, host: str, port: int, timeout: float) -> Reach:
        """Connect and hang up again; `timeout` in seconds covers the name as well."""
        try:
            async with asyncio.timeout(timeout):
                return await _try_all(await _resolve(host, port), port)
        except TimeoutError:
            return Reach.TIMED_OUT
        except (socket.gaierror, UnicodeError):
            return Reach.UNKNOWN_HOST


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def _try_all(addresses: list[str], port: int) -> Reach:
    """Open if any address is; else what the last one said."""
    answer = Reach.UNKNOWN_HOST
    for address in addresses:
        answer = await _connect(address, port)
        if answer is Reach.OPEN:
            break
    return answer


async def _connect(address: str, port: int) -> Reach:
    try:
        _, writer = await asyncio.open_connection(address, port)
    except ConnectionRefusedError:
        return Reach.REFUSED
    except TimeoutError:
        return Reach.TIMED_OUT
    except OSError as error:
        return Reach.NO_ROUTE if error.errno in NO_ROUTE else Reach.REFUSED
    writer.close()
    return Reach.OPEN
