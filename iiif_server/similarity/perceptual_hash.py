"""The perceptual hash of a picture: 64 bits that differ little between copies of one picture. (pure)

The signs of the 64 lowest frequencies, but for the mean, of the picture at 32 by 32 pixels. Only plain copies have
nearly equal hashes: not parts, and not turned pictures. Loads OpenCV, so only child processes import it.
"""

from __future__ import annotations

import cv2
import numpy as np

from iiif_server.similarity.records import Grey


def of(grey: Grey) -> bytes:
    """Return the hash, 8 bytes."""
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:8, :8].ravel()
    return np.packbits(low > np.median(low[1:])).tobytes()
