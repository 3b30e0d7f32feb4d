"""Operations an administrator starts by hand: rebuilding the catalogue and copying a store.

The top of `workers`, beside `service`. `web.cli` imports it.
"""
