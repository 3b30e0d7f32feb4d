"""Recognises the text of a page in a sandboxed child without rights.

RapidOCR and the models in its package are loaded when the module is imported, because the child can open no file later.
Nothing is downloaded: every model is named by its path. Memory: 0.6 GB, of which the models and libraries take half.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import cv2
import imagecodecs
import numpy as np
import rapidocr

from iiif_server.pyramid.grid import Box, TileGrid
from iiif_server.render.assemble import Assembler
from repository.sandbox.channel import Channel
from workers.ocr.notes import read_columns
from workers.ocr.records import RecognisedLine, RecognisedPage
from workers.ocr.sections import Section, reduced_size, sections
from workers.text.columns import are_vertical
from workers.text.source import clean_line

_CODECS: Final = (imagecodecs.jpeg8_decode, imagecodecs.Jpeg8Error)  # loaded when first used: see `render/child.py`


def _loaded_engine() -> Any:
    """Return an engine that has loaded its models, and computes in one thread."""
    cv2.setNumThreads(1)
    models = Path(rapidocr.__file__).with_name("models")
    engine = rapidocr.RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.use_cls": False,  # columns are never upside down
            "Global.max_side_len": 4000,  # `sections` decides the size
            "Global.model_root_dir": str(models),
            "Det.model_path": str(models / "PP-OCRv6_det_small.onnx"),
            "Rec.model_path": str(models / "PP-OCRv6_rec_small.onnx"),
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
    blank = np.full((64, 64, 3), 255, np.uint8)
    engine(blank, use_det=False, use_rec=True)  # loads the model that reads lines
    engine(blank, use_det=True, use_rec=True)
    return engine


_ENGINE: Final = _loaded_engine()


def recognise_page(channel: Channel, sides: tuple[int, int, int]) -> RecognisedPage:
    """Return the lines of an image in reading order; the parent reads its tiles."""
    grid = TileGrid(*sides)
    pixels = _page(channel, grid)
    scale_x, scale_y = grid.width / pixels.shape[1], grid.height / pixels.shape[0]
    found = [line for section in sections(pixels.shape[1]) for line in _lines(pixels, section)]
    boxes = [box for _, box, _ in found]
    order = read_columns(boxes) if are_vertical(boxes) else [(index, False) for index in range(len(found))]
    lines = []
    for index, is_note in order:
        text, (left, top, right, bottom), confidence = found[index]
        x, y = max(0, int(left * scale_x)), max(0, int(top * scale_y))
        width, height = int(right * scale_x) - x, int(bottom * scale_y) - y
        size = max(1, min(width, grid.width - x)), max(1, min(height, grid.height - y))
        lines.append(RecognisedLine(text, (x, y, *size), confidence, is_note))
    return RecognisedPage(tuple(lines))


def _page(channel: Channel, grid: TileGrid) -> Any:
    """Return an image in grey at the size at which it is read, from the smallest level that has it."""
    width, height = reduced_size(grid.width, grid.height)
    factor = max((factor for factor in grid.scale_factors if grid.width // factor >= width), default=1)
    level = Box(0, 0, -(-grid.width // factor), -(-grid.height // factor))
    grey = Assembler(grid, factor, channel.request, True).whole(level)
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)


def _lines(pixels: Any, section: Section) -> list[tuple[str, tuple[float, float, float, float], float]]:
    """Return text, box and confidence of the lines that are the section's own."""
    found = _ENGINE(cv2.cvtColor(pixels[:, section.start : section.end], cv2.COLOR_GRAY2BGR))
    if found.boxes is None:
        return []
    lines = []
    for text, corners, confidence in zip(found.txts, found.boxes, found.scores, strict=True):
        (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        left, right = left + section.start, right + section.start
        cleaned = clean_line(text)
        if cleaned and section.left <= (left + right) / 2 < section.right:
            lines.append((cleaned, (left, top, right, bottom), float(confidence)))
    return lines
