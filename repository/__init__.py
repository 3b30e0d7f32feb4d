"""What the library holds, where it is stored and who may see it.

`Repository` is built once for each process from `Settings` and passed to everything else. Every other package may
import this one; it imports none of them.
"""
