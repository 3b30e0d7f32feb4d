"""IIIF Authorization Flow 2.0 and Authentication 1.0 as values: services, credentials, results and messages.

Pure. The image service, the manifests and `web` import it; it imports only paths and values.
"""
