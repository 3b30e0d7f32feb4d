"""The names in a bag of the documents that say what a work was where it was exported. (pure)"""

from __future__ import annotations

from typing import Final

DOCUMENTS: Final = "metadata"
WORK_DOCUMENT: Final = f"{DOCUMENTS}/work.json"
ACCESS_DOCUMENT: Final = f"{DOCUMENTS}/access.json"
TEXTS_DOCUMENT: Final = f"{DOCUMENTS}/texts.json"
