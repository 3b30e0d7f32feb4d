"""The witness: a small server that a partner library runs to cosign the growth of other libraries' logs.

It needs neither a repository nor a database. `web.cli` alone may import it.
"""
