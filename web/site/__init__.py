"""Pages for readers: views, language, static files and error pages.

It imports `messages` and `trusted_networks`.
"""
