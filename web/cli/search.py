"""``shanben search rebuild``: the search index again, from the catalogue and the texts in the store."""

from __future__ import annotations

import click

from repository.config import process_settings
from repository.localized import LocalizedText, counted
from web.cli.terminal import Terminal, command
from web.operations.formatting import byte_size
from workers.bootstrap import bootstrap
from workers.tasks.search_index import rebuild_index


@click.group()
def search() -> None:
    """检索索引。 The search index."""


@search.command("rebuild")
@command
def rebuild_search(terminal: Terminal) -> None:
    """依目录数据库与录文重建检索索引。 Build the search index again, from the catalogue and the texts."""
    repository = bootstrap(process_settings())
    progress = terminal.progress()
    progress.start(LocalizedText("重建检索索引", "Building the search index"), repository.catalogue.counts().works)
    try:
        rebuilt = rebuild_index(repository, lambda: progress.advance(1))
    finally:
        progress.finish()
    works, records = rebuilt.works, rebuilt.records
    pages, size = (sum(getattr(each, name) for each in rebuilt.segments) for name in ("pages", "bytes"))
    zh = f"已重建检索索引：著作 {works} 种，有文本的页 {pages} 面，"
    en = f"Built: {counted(works, 'work', 'works')}, {counted(pages, 'page', 'pages')} with text, "
    if records:
        zh += f"合作机构的书目 {records} 条，"
        en += f"{counted(records, 'record', 'records')} of partners, "
    terminal.write(LocalizedText(f"{zh}{byte_size(size)}", f"{en}{byte_size(size)}"))
    terminal.result(
        {"works": works, "records": records, "pages": pages, "bytes": size, "segments": len(rebuilt.segments)}
    )
