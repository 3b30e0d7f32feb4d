"""Child processes for code that handles untrusted input, without rights (decision 23).

Owns the pool of children, the frames between parent and child, and the boundary: what a child may still do. It does not
know what the children compute. Any package may import `pool` and `functions`, and the functions that run in a child
`channel`; the other modules belong to the package.
"""
