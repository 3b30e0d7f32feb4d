"""Random regions and sizes through `shanben serve`, against iiif-processor, the engine of serverless-iiif.

The regions of `regions.py`, eight at once; ours over HTTP from two workers, iiif-processor called in a loop of Node,
from a pyramidal TIFF, without HTTP. By turns, and the medians compared. Every answer must have the right size.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path

from PIL import Image as Picture
from regions import SIZE, draw_jobs
from tiles import HEIGHT, ROUNDS, WIDTH, Figure, hold, served

HERE = Path(__file__).parent
AT_ONCE = 8

Size = tuple[int, int]


def main() -> None:
    """Print one row."""
    with tempfile.TemporaryDirectory(prefix="bench-peers-") as scratch:
        folder = Path(scratch)
        image = hold(folder, SIZE)[0].split("/")[4]
        requests = {job.request: (job.shown_width, job.shown_height) for job in draw_jobs()}
        (folder / "requests.json").write_text(json.dumps(list(requests)))
        rates: dict[str, list[float]] = {"ours": [], "iiif-processor": []}
        with served(folder) as ours:
            through_ours(ours.port, image, requests)  # what is remembered of a first request is not counted
            for _ in range(ROUNDS):
                rates["ours"].append(len(requests) / through_ours(ours.port, image, requests))
                rates["iiif-processor"].append(len(requests) / through_iiif_processor(folder, requests))
    print(rates, file=sys.stderr)
    first, second = (Figure(values) for values in rates.values())
    on = f"{len(requests)} random regions of {WIDTH * HEIGHT // 10**6} Mpx, {AT_ONCE} at once"
    print(
        f"regions against iiif-processor | {on}"
        f" | {first} a second | iiif-processor in Node, without HTTP: {second} | {first / second:.1f} times"
    )


def through_ours(port: int, image: str, requests: dict[str, Size]) -> float:
    """The seconds that all of them take; `RuntimeError` when an answer is not right."""

    def ask(part: list[tuple[str, Size]]) -> None:
        connection = HTTPConnection("127.0.0.1", port)
        for request, size in part:
            connection.request("GET", f"/iiif/image/3/{image}/{request}")
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200 or Picture.open(BytesIO(body)).size != size:
                raise RuntimeError(f"{request}: {answer.status}")
        connection.close()

    every = list(requests.items())
    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(ask, (every[place::AT_ONCE] for place in range(AT_ONCE))))
    return time.monotonic() - began


def through_iiif_processor(folder: Path, requests: dict[str, Size]) -> float:
    """The seconds that all of them take; `RuntimeError` when an answer is not right."""
    command = ["node", HERE / "iiif_processor.mjs", folder / "tiffs" / f"{SIZE}.tif", folder / "requests.json"]
    done = subprocess.run([*command, str(AT_ONCE)], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    if [tuple(size) for size in told["sizes"]] != list(requests.values()):
        raise RuntimeError("iiif-processor gives other sizes")
    return float(told["seconds"])


if __name__ == "__main__":
    main()
