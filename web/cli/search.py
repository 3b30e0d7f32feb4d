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
        segments = rebuild_index(repository, lambda: progress.advance(1)).segments
    finally:
        progress.finish()
    works, pages = (sum(getattr(each, name) for each in segments) for name in ("works", "pages"))
    size = sum(each.bytes for each in segments)
    zh = f"已重建检索索引：著作 {works} 种，有录文的页 {pages} 面，{byte_size(size)}"
    en = f"Built: {counted(works, 'work', 'works')}, {counted(pages, 'page', 'pages')} with text, {byte_size(size)}"
    terminal.write(LocalizedText(zh, en))
    terminal.result({"works": works, "pages": pages, "bytes": size, "segments": len(segments)})
