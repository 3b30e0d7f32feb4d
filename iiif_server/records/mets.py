"""Records in METS 1.12.1 for partners: MODS, the images by address, volumes, pages and ranges. (pure)

While access shows no pixels, no image is named. Names of files, digests and hidden parts of images are in no document.
"""

from __future__ import annotations

from typing import Final

from lxml import etree

from iiif_server.records.context import RecordContext
from iiif_server.records.dublin_core import rights_element
from iiif_server.records.mets_structure import DESCRIPTION, HREF, METS, NAMESPACE, name_work, structures
from iiif_server.records.mods import VERSION, mods
from iiif_server.records.xml_text import set_schema
from repository.model.work import Work

__all__ = ["NAMESPACE", "SCHEMA", "mets"]

SCHEMA: Final = "http://www.loc.gov/standards/mets/version1121/mets.xsd"


def mets(work: Work, context: RecordContext) -> etree._Element:
    """Return the record of a work."""
    images = list(work.images()) if context.decision.shows_pixels else []
    description = METS.mdWrap(METS.xmlData(mods(work, context)), MDTYPE="MODS", MDTYPEVERSION=VERSION)
    root = METS.mets(METS.metsHdr(CREATEDATE=context.changed), METS.dmdSec(description, ID=DESCRIPTION))
    name_work(root, work)
    set_schema(root, NAMESPACE, SCHEMA)
    if (rights := rights_element(work.rights)) is not None:
        stated = METS.rightsMD(METS.mdWrap(METS.xmlData(rights), MDTYPE="DC"), ID="RIGHTS1")
        root.append(METS.amdSec(stated, ID="AMD1"))
    if images:
        group = METS.fileGrp(USE="DEFAULT")
        for image in images:
            location = METS.FLocat(LOCTYPE="URL")
            location.set(HREF, context.image(image))
            group.append(METS.file(location, ID=image.identifier, MIMETYPE="image/jpeg"))
        root.append(METS.fileSec(group))
    root.extend(structures(work, {image.identifier: image.identifier for image in images}))
    return root
