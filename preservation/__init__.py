"""Every byte kept true: OCFL objects, PREMIS events and the provenance log."""
