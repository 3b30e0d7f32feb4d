"""A growing log in memory and its submissions to witnesses."""

from __future__ import annotations

from memory_log import temporary_signer

from preservation.log.merkle import consistency_proof, leaf_hash, tree_hash
from preservation.log.notes import Checkpoint
from preservation.log.signing_key import Signer
from preservation.log.witness import Submission


class GrowingLog:
    """A log of `origin` whose entries are numbered; `history` distinguishes forks of it."""

    def __init__(self, origin: str = "library.example/log", history: str = "a", signer: Signer | None = None) -> None:
        self.signer = signer or temporary_signer(origin)
        self._history = history

    def fork(self, history: str = "b") -> GrowingLog:
        """Return another history of the same log, signed by the same key."""
        return GrowingLog(self.signer.origin, history, self.signer)

    def note(self, size: int) -> bytes:
        """Return the signed checkpoint at a size."""
        return self.signer.sign_note(Checkpoint(self.signer.origin, size, tree_hash(self._leaves(size))).text())

    def submission(self, old: int, size: int) -> bytes:
        """Return the body of the request to cosign the tree of `size`, which extends the one of `old`."""
        leaves = self._leaves(size)
        proof = consistency_proof(old, size, lambda start, end: tree_hash(leaves[start:end])) if 0 < old < size else []
        return Submission(old, tuple(proof), self.note(size)).content()

    def _leaves(self, size: int) -> list[bytes]:
        return [leaf_hash(f"{self._history} {number}".encode()) for number in range(size)]
