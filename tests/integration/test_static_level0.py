"""docs/leaving.md: its commands are run, nginx serves the resulting static site, and OpenSeadragon shows it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pyvips
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab
from prerequisites import require
from servers import NginxServer, temporary_paths

from iiif_server.presentation.manifest import build_manifest
from iiif_server.pyramid.file import recipe, write_pyramid
from repository import paths
from repository.clock import system_clock
from repository.identifiers import Kind, mint
from repository.model.work import Image, Master, Page, Pyramid, Record, Volume, Work
from repository.storage.folder import FolderStore

PROJECT = Path(__file__).resolve().parents[2]
OPENSEADRAGON = PROJECT / "web/node_modules/openseadragon/build/openseadragon/openseadragon.min.js"

QUARTERS = {"top left": (200, 30, 30), "top right": (30, 200, 30), "bottom left": (30, 30, 200)}
SIZES = {"many levels": (2600, 1900), "two levels": (1000, 700), "one tile": (300, 200), "one pixel": (1, 1)}

NGINX = """
worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off; types {{ image/jpeg jpg; application/json json; text/html html; text/javascript js; }}
  {temporary}
  server {{ listen 127.0.0.1:{port}; root {folder}/site; {locations} }}
}}
"""

VIEWER = """<!doctype html><title>viewer</title>
<script src="/openseadragon.min.js"></script>
<div id="view" style="width:600px;height:450px"></div>
<script>
  const failed = [];
  const viewer = OpenSeadragon({
    id: "view", showNavigationControl: false, drawer: "canvas", immediateRender: true, animationTime: 0,
    tileSources: new URLSearchParams(location.search).get("info"),
  });
  viewer.addHandler("open-failed", event => failed.push(event.message));
  viewer.addHandler("tile-load-failed", event => failed.push(event.tile.getUrl()));
  const loaded = () => failed.length > 0 || (viewer.isOpen() && viewer.world.getItemAt(0).getFullyLoaded());
  const colour = (x, y) => {
    const context = viewer.drawer.canvas.getContext("2d");
    const ratio = viewer.drawer.canvas.width / 600;
    return Array.from(context.getImageData(Math.round(x * ratio), Math.round(y * ratio), 1, 1).data.slice(0, 3));
  };
</script>"""


@dataclass(frozen=True)
class Site:
    """The static site that the commands of docs/leaving.md wrote, as it is served."""

    address: str
    images: dict[str, str]
    pyramids: dict[str, Path]
    work: str


def quartered(width: int, height: int) -> pyvips.Image:
    """Return an image of four quarters in four colours, recognizable at any scale."""
    image = (
        pyvips.Image.black(width, height, bands=3)
        .linear([1] * 3, [200, 200, 30])
        .cast("uchar")
        .copy(interpretation="srgb")
    )
    half_width, half_height = -(-width // 2), -(-height // 2)
    corners = {"top left": (0, 0), "top right": (half_width, 0), "bottom left": (0, half_height)}
    for name, (left, top) in corners.items():
        image = image.draw_rect(list(QUARTERS[name]), left, top, half_width, half_height, fill=True)
    return image


def publish_work(store: FolderStore, scratch: Path) -> tuple[dict[str, str], Work]:
    """Publish a work whose pages are the pictures of `SIZES`; return their image identifiers by name."""
    images, pages, pyramids = {}, [], {}
    for name, (width, height) in SIZES.items():
        image = images[name] = mint(Kind.IMAGE, name)
        file = scratch / f"{image}.zip"
        summary = write_pyramid(quartered(width, height), file, 512, 80)
        key = paths.pyramid(image, recipe(512, 80))
        store.put(key, file.read_bytes())
        pyramids[image] = Pyramid(key, summary.fingerprint, summary.bytes, 512)
        master = Master(f"masters/{name}.tif", "0" * 64, 1, "image/tiff")
        pages.append(Page(name, name, (Image(image, width, height, master),)))
    work = Work(mint(Kind.WORK, "leaving"), Record("去留"), (Volume("", tuple(pages)),))
    store.put(paths.manifest(work.identifier), build_manifest(work, pyramids, "某館", 64_000_000, system_clock()))
    return images, work


def documented(language: str) -> str:
    """Return the code blocks of one language in docs/leaving.md."""
    return "\n".join(
        re.findall(rf"```{language}\n(.*?)```", (PROJECT / "docs/leaving.md").read_text("utf-8"), re.DOTALL)
    )


def run_documented_commands(store: Path, site: Path, address: str) -> None:
    """Run the documented commands with the three variables at their head set to ours."""
    commands = documented("sh")
    for name, value in (("store", store), ("site", site), ("address", address)):
        commands, count = re.subn(rf"(?m)^{name}=\S+", f"{name}='{value}'", commands)
        assert count == 1
    subprocess.run(["sh", "-eu", "-c", commands], check=True)


def configuration(folder: Path, port: int) -> str:
    locations = documented("nginx")
    return NGINX.format(folder=folder, port=port, locations=locations, temporary=temporary_paths(folder))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    require(shutil.which("unzip"), "unzip")
    folder = tmp_path_factory.mktemp("leaving")
    nginx = NginxServer(folder, configuration)
    images, work = publish_work(FolderStore(folder / "store"), folder)
    run_documented_commands(folder / "store", folder / "site", nginx.address)
    with nginx:
        pyramids = {name: folder / f"{image}.zip" for name, image in images.items()}
        yield Site(nginx.address, images, pyramids, work.identifier)


def get(address: str) -> tuple[bytes, dict[str, str]]:
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.read(), dict(answer.headers)


@pytest.mark.parametrize("name", SIZES)
def test_the_static_site_serves_every_tile_that_its_info_json_names(name: str, site: Site) -> None:
    service = f"{site.address}/iiif/image/3/{site.images[name]}"
    body, headers = get(f"{service}/info.json")
    info = json.loads(body)
    assert (info["id"], info["width"], info["height"]) == (service, *SIZES[name])
    assert headers["Access-Control-Allow-Origin"] == "*"
    with zipfile.ZipFile(site.pyramids[name]) as pyramid:
        for tile in pyramid.namelist():
            if tile != "info.json":
                body, headers = get(f"{service}/{tile}")
                assert body == pyramid.read(tile)
                assert headers["Content-Type"] == "image/jpeg"
    for size in info["sizes"]:
        assert get(f"{service}/full/{size['width']},{size['height']}/0/default.jpg")


def test_the_static_manifest_names_only_files_of_the_site(site: Site) -> None:
    body, headers = get(f"{site.address}/iiif/presentation/3/{site.work}/manifest")
    manifest = json.loads(body)
    assert headers["Content-Type"] == "application/json"
    assert manifest["id"].startswith(site.address)
    assert b"base.invalid" not in body
    services = {image["id"]: image for canvas in manifest["items"] for image in canvas["thumbnail"][0]["service"]}
    assert {json.loads(get(f"{service}/info.json")[0])["id"] for service in services} == services.keys()
    assert {service["profile"] for service in services.values()} == {"level0"}


@pytest.fixture(scope="module")
def tab(site: Site, browser: Browser) -> Iterator[Tab]:
    viewer = require(OPENSEADRAGON, "OpenSeadragon (npm install in web/)")
    tab = browser.new_page(viewport={"width": 600, "height": 450})
    tab.route(re.compile("/viewer.html"), lambda route: route.fulfill(body=VIEWER, content_type="text/html"))
    tab.route("**/openseadragon.min.js", lambda route: route.fulfill(path=viewer))
    yield tab
    tab.close()


def shows(tab: Tab, x: int, y: int, colour: tuple[int, ...]) -> bool:
    seen = tab.evaluate(f"colour({x}, {y})")
    return all(abs(a - b) < 12 for a, b in zip(seen, colour, strict=True))


@pytest.mark.browser
@pytest.mark.parametrize("name", SIZES)
def test_openseadragon_opens_a_static_image_and_zooms_to_its_pixels(name: str, site: Site, tab: Tab) -> None:
    requested: list[str] = []
    tab.on("request", lambda request: requested.append(request.url))
    service = f"{site.address}/iiif/image/3/{site.images[name]}"
    tab.goto(f"{site.address}/viewer.html?info={service}/info.json")
    tab.wait_for_function("loaded()")
    assert tab.evaluate("failed") == []
    width, height = SIZES[name]
    if width > 1:
        edge = min(600 / width, 450 / height)
        left, top = 300 - width * edge / 4, 225 - height * edge / 4
        assert shows(tab, int(left), int(top), QUARTERS["top left"])
        assert shows(tab, int(600 - left), int(top), QUARTERS["top right"])
        assert shows(tab, int(left), int(450 - top), QUARTERS["bottom left"])
    tab.evaluate("viewer.viewport.zoomTo(viewer.viewport.imageToViewportZoom(1), null, true), viewer.forceRedraw()")
    tab.wait_for_timeout(100)
    tab.wait_for_function("loaded()")
    assert tab.evaluate("failed") == []
    with zipfile.ZipFile(site.pyramids[name]) as pyramid:
        names = {f"{service}/{tile}" for tile in pyramid.namelist()}
    tiles = {address for address in requested if address.endswith(".jpg")}
    assert tiles
    assert tiles <= names
