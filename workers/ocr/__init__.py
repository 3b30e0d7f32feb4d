"""Recognises the text of pages: OCR, where its packages are installed (the extra ``ocr`` of `setup.cfg`).

Owns the engine, which runs in sandboxes (`pages.recognise`), the size at which it sees a page, and the reading order of
what it finds. It imports `workers.text`, `iiif_server` and `repository`; `workers.tasks` and the commands import it.
Only `child` loads the packages of the extra.
"""
