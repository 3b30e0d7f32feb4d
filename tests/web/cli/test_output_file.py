"""A file that cannot be written is an error with a remedy, not a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from web.cli.output_file import OutputNotWritten, write_output, writing_output


def test_file_that_cannot_be_written_names_itself_and_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "evidence.txt"
    with pytest.raises(OutputNotWritten) as refused:
        write_output(path, b"evidence")
    assert str(path) in str(refused.value)
    assert "No such file or directory" in str(refused.value)
    assert refused.value.branch == "system"


def test_folder_that_cannot_be_made_is_the_same_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputNotWritten), writing_output(tmp_path / "file"):
        (tmp_path / "file" / "folder").mkdir(parents=True)


def test_file_is_written(tmp_path: Path) -> None:
    write_output(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"
