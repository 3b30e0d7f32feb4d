"""Records of works in the formats of partners: Dublin Core, MODS, MARCXML, METS, schema.org.

Owns the crosswalks from `repository.model` and the elements of METS that bags share. Every package above `repository`
may import it.
"""
