"""The objects that tasks use, created once per process."""

from __future__ import annotations

from dataclasses import dataclass

from repository.repository import Repository
from workers.deposit.examiner import DepositExaminer


@dataclass(frozen=True, slots=True)
class TaskContext:
    """The repository and the examiner of deposits. The caller opens and closes the examiner, which runs sandboxes."""

    repository: Repository
    examiner: DepositExaminer
