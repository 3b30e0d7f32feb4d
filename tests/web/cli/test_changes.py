"""`shanben changes refresh` announces every published work again, or says why it does not."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from command_line import environment
from publications import NOW, publication

from repository.config import Settings
from repository.repository import open_repository
from web.cli.main import main


def test_works_are_announced_again_or_moved_from_the_former_address(tmp_path: Path) -> None:
    repository = open_repository(Settings(data=tmp_path))
    repository.catalogue.publish(publication("甲", images=0), (), NOW)
    runner = CliRunner(env=environment(data=tmp_path, base_url="https://new.example"))
    assert json.loads(runner.invoke(main, ["changes", "refresh", "--json"]).stdout) == {"works": 1}
    moved = runner.invoke(main, ["changes", "refresh", "--moved-from", "https://old.example/", "--json"])
    assert moved.exit_code == 0, moved.output
    activities = repository.changes.activities(0, 9)
    assert [each.kind.value for each in activities] == ["Create", "Refresh", "Update", "Refresh", "Move"]
    assert activities[-1].origin == "https://old.example"
    for address in ("https://new.example", "old.example"):
        assert runner.invoke(main, ["changes", "refresh", "--moved-from", address]).exit_code == 2
