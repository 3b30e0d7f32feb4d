"""What tasks work with, built once a process: the repository and the examiner of masters."""

from __future__ import annotations

from dataclasses import dataclass

from repository.repository import Repository
from workers.masters.examine import Examiner


@dataclass(frozen=True, slots=True)
class TaskContext:
    """A process's means; `examiner` keeps child processes, so it is opened and closed around the workshop."""

    repository: Repository
    examiner: Examiner
