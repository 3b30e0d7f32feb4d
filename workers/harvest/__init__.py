"""Harvesting of partners' records: reads OAI-PMH and IIIF, cleans records by rules, keeps them with their originals.

`workers.tasks.harvest` runs it as a job; `web` shows the rules and records. It imports `repository` and nothing of its
siblings. A partner's documents are read by modules that are pure, with limits of size, depth and number.
"""
