"""A library whose pages are described and indexed as by workers, and its search."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Final, Self

from drawn_pages import encoded, write_drawn_deposit
from numpy import uint8
from numpy.typing import NDArray

from iiif_server.similarity.service import SimilarPictures
from repository.config import Settings
from repository.database.outbox import JobState, NewJob
from repository.repository import memory_repository
from workers.bootstrap import prepare_repository
from workers.deposit.examiner import DepositExaminer
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks.jobs import feature_index_job, features_job, ingest_job

SEEDS: Final = (11, 12, 13)
"""The seeds of the pages that the library holds."""


class DrawnLibrary:
    """A repository in memory with one work, by default of drawn pages; `images` are in the order of the pages."""

    def __init__(self, folder: Path, examiner: DepositExaminer, deposit: Path | None = None) -> None:
        self.repository = prepare_repository(memory_repository(Settings(data=folder / "var")))
        self.context = TaskContext(self.repository, examiner)
        with local_runner(self.context) as runner:
            job = runner.run(ingest_job(deposit or write_drawn_deposit(folder / "deposit", SEEDS)))
        self.work = str((job.result or {})["identifier"])
        self.run(features_job(self.work), feature_index_job())
        work = self.repository.catalogue.work(self.work)
        assert work is not None
        self.images = [image.identifier for image in work.images()]
        self.search = SimilarPictures(self.repository)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.search.close()

    def run(self, *jobs: NewJob) -> None:
        """Run jobs one after the other; each must succeed."""
        for job in jobs:
            with local_runner(self.context) as runner:
                (done,) = runner.attempt([job])
            assert done.state is JobState.DONE, done.result

    def found(self, pixels: NDArray[uint8]) -> list[str]:
        """Return the images that the search finds."""
        return [page.image for page in self.search.find(encoded(pixels), "").matches]
