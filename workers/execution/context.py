"""The objects that tasks use, created once per process."""

from __future__ import annotations

from dataclasses import dataclass

from repository.repository import Repository
from workers.masters.examine import Examiner


@dataclass(frozen=True, slots=True)
class TaskContext:
    """The repository and the examiner of masters. The caller opens and closes the examiner, which runs sandboxes."""

    repository: Repository
    examiner: Examiner
