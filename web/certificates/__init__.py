"""What an outsider can download and verify: certificates of works and images, and the page ``/verify``.

Owns the facts that both state, and their forms: HTML, and PDF by typst. `app` and `cli` may import it; it imports
`site`, `typesetting` and `messages`. Nothing is stated that is not recorded: a certificate is a view of entries of the
log and of recorded checks, so that looking at one changes nothing.
"""
