"""The provider of OAI-PMH 2.0: what a harvester asks, resumption tokens, and the responses.

Owns the protocol (https://www.openarchives.org/OAI/2.0/openarchivesprotocol.htm). `repository/database/changes.py` has
the records, `iiif_server/records` their formats; `web/services` serves it. Only `web` may import this package.
"""
