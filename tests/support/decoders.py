"""The verdict of independent decoders on a file: command-line programs of Debian."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from prerequisites import require

# Messages of libtiff about a tag; all others are about the data.
_TAG = re.compile(r"^(TIFFReadDirectory\w*|TIFFFetch\w+|TIFFAdvanceDirectory|TIFFSetField|_TIFF\w+): Warning")


def complaint(path: Path, scratch: Path) -> str:
    """Return what the decoder of the file's format reports of its data, or '' if it reports nothing.

    Warnings of libtiff about tags do not count. `scratch` is a folder for the decoded picture.
    """
    return _DECODERS[path.suffix](path, scratch / "decoded")


def _run(program: str, *arguments: str | Path) -> tuple[bool, list[str]]:
    command = [require(shutil.which(program), program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
    return done.returncode == 0, [line for line in lines if line.strip()]


def _jpeg(path: Path, target: Path) -> str:
    fine, lines = _run("djpeg", "-outfile", target, path)
    return "" if fine else " ".join(lines) or "failed"


def _tiff(path: Path, target: Path) -> str:
    fine, lines = _run("tiff2rgba", path, target)
    return " ".join(line for line in lines if not _TAG.match(line)) or ("" if fine else "failed")


def _png(path: Path, _: Path) -> str:
    fine, lines = _run("pngcheck", "-q", path)
    return "" if fine else " ".join(lines) or "failed"


def _webp(path: Path, target: Path) -> str:
    fine, lines = _run("dwebp", "-quiet", path, "-o", target)
    return "" if fine else " ".join(lines) or "failed"


def _jpeg2000(path: Path, target: Path) -> str:
    named = target.with_suffix(".jp2" if path.suffix in {".jp2", ".jph"} else ".j2k")
    shutil.copyfile(path, named)
    fine, lines = _run("opj_decompress", "-i", named, "-o", target.with_suffix(".ppm"))
    return " ".join(line for line in lines if "[ERROR]" in line) or ("" if fine else "failed")


_DECODERS = {
    ".jpg": _jpeg,
    ".tif": _tiff,
    ".png": _png,
    ".webp": _webp,
    **dict.fromkeys((".jp2", ".jph", ".j2k", ".jhc"), _jpeg2000),
}
