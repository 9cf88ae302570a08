"""Probes of TCP ports of other hosts."""

import asyncio
import errno
import socket
from enum import StrEnum


class PortStatus(StrEnum):
    """How a port answered, in the words that people read."""

    OPEN = "open"
    REFUSED = "connection refused"
    TIMED_OUT = "timed out"
    UNKNOWN_HOST = "unknown host"
    NO_ROUTE = "no route to host"


NO_ROUTE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EACCES, errno.EPERM}


class TcpProber:
    """The network as seen from the bot."""

    async def probe(self, host: str, port: int, timeout: float) -> PortStatus:
        """Connect and close again; `timeout` in seconds includes the DNS lookup. Never raises."""
        try:
            async with asyncio.timeout(timeout):
                return await _probe_all(await _resolve(host, port), port)
        except TimeoutError:
            return PortStatus.TIMED_OUT
        except (socket.gaierror, UnicodeError):
            return PortStatus.UNKNOWN_HOST


async def _resolve(host: str, port: int) -> list[str]:
    """The host's IP addresses, each once; raises gaierror and UnicodeError."""
    loop = asyncio.get_running_loop()
    entries = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in entries))


async def _probe_all(addresses: list[str], port: int) -> PortStatus:
    """OPEN if any address is, else the status of the last one."""
    status = PortStatus.UNKNOWN_HOST
    for address in addresses:
        status = await _probe(address, port)
        if status is PortStatus.OPEN:
            break
    return status


async def _probe(address: str, port: int) -> PortStatus:
    try:
        _, writer = await asyncio.open_connection(address, port)
    except ConnectionRefusedError:
        return PortStatus.REFUSED
    except TimeoutError:
        return PortStatus.TIMED_OUT
    except OSError as error:
        return PortStatus.NO_ROUTE if error.errno in NO_ROUTE else PortStatus.REFUSED
    writer.close()
    return PortStatus.OPEN
