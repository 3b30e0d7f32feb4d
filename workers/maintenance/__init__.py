"""Operations that an administrator starts by hand: rebuilding the catalogue and copying a store.

The top layer of `workers`, beside `service`. The commands of `web.cli` import it.
"""
