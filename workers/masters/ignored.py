"""Parts of a master that its picture does not show: codes for programs, and what a librarian should know. (pure)

An ingest records the codes in ``metadata/work.json``, in the image's ingestion event and in ``record.json``; `shanben
check` lists the messages as notices. The codes never change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from repository.localized import LocalizedText

EXTRA_SAMPLES: Final = "extra-samples"
COLOUR_PROFILE: Final = "colour-profile"

MESSAGES: Final[Mapping[str, LocalizedText]] = {
    EXTRA_SAMPLES: LocalizedText(
        "文件中有用途未注明的附加通道；原图照原样保存，显示时不用这些通道",
        "the file has extra channels whose purpose it does not state; it is preserved as it is, and its picture is "
        "shown without them",
    ),
    COLOUR_PROFILE: LocalizedText(
        "内嵌的色彩特性文件与图像的颜色种类不符；原图照原样保存，显示时不用该文件",
        "the embedded colour profile is for another kind of colours than the image has; the file is preserved as it "
        "is, and its picture is shown without the profile",
    ),
}
"""The message of each code, as a clause."""
