"""Ports of 127.0.0.1 for servers that must be given a number; each stays reserved as long as the test process runs.

A port that is probed, released and used later may be taken meanwhile, by another process or by an outgoing connection.
Therefore the socket that reserves a port stays bound and never listens. The system chooses the port, and gives a port
that is bound to no other socket that asks for any free one. The server may still bind it: once the port is ours, the
reserving socket allows sharing (SO_REUSEADDR, SO_REUSEPORT), and every server that tests start asks for one of the two.
While no server listens, connections are refused.
"""

from __future__ import annotations

import socket

_reservations: list[socket.socket] = []


def reserve_port() -> int:
    """Return a port that only this test process and the servers it starts use, and on which nobody listens."""
    reservation = socket.socket()
    reservation.bind(("127.0.0.1", 0))
    for sharing in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        reservation.setsockopt(socket.SOL_SOCKET, sharing, 1)
    _reservations.append(reservation)
    port: int = reservation.getsockname()[1]
    return port
