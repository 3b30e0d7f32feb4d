"""Pages for readers: their data, language, URLs, static files and error pages.

It imports `messages` and `trusted_networks`; `app`, `services` and `operations` import it.
"""
