"""The picture that the IIIF validator requests: a grid of 10 by 10 squares, each in the colour its checks expect."""

from __future__ import annotations

from typing import Final

from iiif_validator.validator import ValidationInfo
from PIL import Image

NAME: Final = "67352ccc-d1b0-11e1-89ae-279075081939"
"""The identifier under which the validator's documentation has it served."""

SIDE: Final = 100


def validator_picture() -> Image.Image:
    """Return the picture, 1,000 by 1,000 pixels of sRGB: column x and row y in colour ``colorInfo[x][y]``."""
    columns = ValidationInfo().colorInfo
    picture = Image.new("RGB", (SIDE * len(columns), SIDE * len(columns[0])))
    for x, column in enumerate(columns):
        for y, colour in enumerate(column):
            picture.paste(colour, (x * SIDE, y * SIDE, (x + 1) * SIDE, (y + 1) * SIDE))
    return picture
