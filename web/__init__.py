"""The web application and the `shanben` command.

The top layer: it imports every other package and none imports it.
"""
