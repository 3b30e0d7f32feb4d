"""Operations that an administrator starts by hand: on the catalogue, on whole stores and on the keys of the log.

The top layer of `workers`, beside `service`. The commands of `web.cli` import it.
"""
