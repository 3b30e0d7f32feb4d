"""IIPImage as Debian packages it, behind nginx: the peer that image requests are compared with.

iipsrv handles one request at a time, so one process for each processor listens on a Unix socket. It serves pyramidal
TIFFs by the IIIF Image API, as its documentation describes. Logging is off, and its tile cache has the default size.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

import pyvips
from prerequisites import require
from server_process import ServerProcess
from servers import NginxServer, temporary_paths

PROGRAM = Path("/usr/lib/iipimage-server/iipsrv.fcgi")
PACKAGE = "iipimage-server"
PREFIX = "/iiif/"

NGINX = """
worker_processes 2;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 100000000; default_type image/jpeg;
  {temporary}
  upstream iip {{ least_conn; {servers} }}
  server {{
    listen 127.0.0.1:{port};
    location ~ ^{prefix}(.*)$ {{
      fastcgi_pass iip; fastcgi_buffers 64 64k; fastcgi_buffer_size 64k; fastcgi_max_temp_file_size 0;
      fastcgi_param QUERY_STRING IIIF=$1; fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param REQUEST_URI $request_uri;
    }}
  }}
}}
"""


class IipServer:
    """iipsrv over the TIFFs in `images`: ``{address}/iiif/{file}/{region}/{size}/{rotation}/{quality}.{format}``.

    Skips, or fails where CI is set, when the package is absent.
    """

    def __init__(self, folder: Path, images: Path, processes: int = os.cpu_count() or 1) -> None:
        program = require(PROGRAM, f"iipsrv (Debian's package {PACKAGE})")
        folder.mkdir(parents=True, exist_ok=True)
        self._sockets = [folder / f"iip{number}" for number in range(processes)]
        environment = {"FILESYSTEM_PREFIX": f"{images}/", "VERBOSITY": "0", "JPEG_QUALITY": "80"}
        self._processes = [
            ServerProcess("iipsrv", [program, "--bind", socket], folder / f"{socket.name}.log", environment=environment)
            for socket in self._sockets
        ]
        self.nginx = NginxServer(folder, self._configuration)
        self.address = self.nginx.address
        self.port = self.nginx.port

    def url(self, file: str, request: str) -> str:
        """The address of a picture: the name of a TIFF, and an image request."""
        return f"{self.address}{PREFIX}{file}/{request}"

    @property
    def pids(self) -> list[int]:
        """The process ids of iipsrv, and of nginx's master."""
        return [process.pid for process in (*self._processes, self.nginx.process) if process.pid]

    def __enter__(self) -> Self:
        for process, socket in zip(self._processes, self._sockets, strict=True):
            process.start(socket.exists)
            socket.chmod(0o666)
        self.nginx.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.nginx.stop()
        for process in self._processes:
            process.stop()

    def _configuration(self, folder: Path, port: int) -> str:
        servers = " ".join(f"server unix:{socket};" for socket in self._sockets)
        return NGINX.format(port=port, servers=servers, prefix=PREFIX, temporary=temporary_paths(folder))


def write_tiff(image: pyvips.Image, file: Path, tile_size: int, quality: int = 80) -> None:
    """Write the kind of pyramidal TIFF that iipsrv serves best: JPEG tiles of `tile_size` pixels."""
    image.tiffsave(
        str(file), tile=True, pyramid=True, compression="jpeg", Q=quality, tile_width=tile_size, tile_height=tile_size,
        bigtiff=False, depth="onetile",
    )  # fmt: skip
