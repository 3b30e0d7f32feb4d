"""Pages for readers: their data, language, URLs, static files and error pages.

It imports `messages`; every other subpackage of `web` with pages or services may import it.
"""
