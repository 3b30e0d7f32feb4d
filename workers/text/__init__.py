"""Reads the text of pages: ALTO, PAGE XML, hOCR, TEI P5, plain text and text marked as kanripo's.

Owns the readers of these forms, which run in sandboxes (`read.read_text`), and the values that they return: lines with
coordinates in the units of the file, which know nothing of the work. It imports `repository` alone; `workers.deposit`
assigns what it returns to pages, and `workers.tasks` reads preserved files with it.
"""
