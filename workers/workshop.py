"""What tasks work with, built once a process: the repository, the examiner of masters, and where progress is shown."""

from __future__ import annotations

from dataclasses import dataclass

from repository.handle import Repository
from workers.deposit import Examiner
from workers.progress import Progress


@dataclass(frozen=True, slots=True)
class Workshop:
    """A process's means; `examiner` keeps child processes, so it is opened and closed around the workshop."""

    repository: Repository
    examiner: Examiner
    progress: Progress
