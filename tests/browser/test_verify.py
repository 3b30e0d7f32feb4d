"""The page ``/verify`` in the browser: what it computes, and that it sends nothing of a picture."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from library_visit import PHONE, Visitor
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

BLOCK, PIECE = 64, 4 << 20


def choose(page: Page, content: bytes, name: str) -> None:
    page.set_input_files("#file", {"name": name, "mimeType": "application/octet-stream", "buffer": content})


def test_browser_computes_the_digest_of_files_of_every_kind_of_length(visit: Visitor, tmp_path: Path) -> None:
    page = visit().go("/verify")
    lengths = [0, 1, 55, 56, 63, BLOCK, BLOCK + 1, 119, 120, 127, 128, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 57]
    for length in lengths:
        content = bytes(place * 31 % 251 for place in range(min(length, 9973))) * (length // 9973 + 1)
        file = tmp_path / f"{length}.bin"
        file.write_bytes(content[:length])
        page.set_input_files("#file", file)
        digest = hashlib.sha256(content[:length]).hexdigest()
        expect(page.locator("#result code").first).to_have_text(digest, timeout=20_000)
        expect(page.locator("#result .notice")).to_contain_text("本馆没有这一摘要的记录")


def test_master_is_found_and_no_byte_of_it_is_sent(visit: Visitor, library: Any) -> None:
    tour = visit(viewport=PHONE)
    page = tour.go("/verify")
    sent: list[tuple[str, str, int]] = []
    page.on(
        "request",
        lambda asked: sent.append((asked.resource_type, asked.method, len(asked.post_data_buffer or b""))),
    )
    master = Path(library.shanben.folder) / "book" / "volume-1" / "0002.tif"
    page.set_input_files("#file", str(master))
    expect(page.locator("#result .good")).to_be_visible(timeout=20_000)
    expect(page.locator(".known h3")).to_have_text("試書 · 第 2 面")
    heights = "cells => cells.map((cell) => cell.getBoundingClientRect().height)"
    assert max(page.locator(".known thead th").evaluate_all(heights)) < 45  # of one line
    assert page.evaluate("() => document.activeElement.id") == "result"
    assert [each for each in sent if each[0] == "fetch"] == [("fetch", "GET", 0)]
    assert all(asked[1:] == ("GET", 0) for asked in sent)  # the others are faces of characters
    assert hashlib.sha256(master.read_bytes()).hexdigest() in page.url
    page.get_by_role("link", name="权属与完整性证明").click()
    expect(page.locator("h1")).to_contain_text("数字资源权属与完整性证明")


def test_evidence_file_is_verified_and_the_page_says_that_it_was_sent(visit: Visitor, library: Any) -> None:
    tour = visit(locale="en-GB")
    page = tour.go("/verify")
    proof = page.request.get(f"{library.address}/log/proof/{library.book}").body()
    choose(page, proof, "book.tlog-proof")
    expect(page.locator("#result .good")).to_contain_text("The evidence is verified", timeout=10_000)
    expect(page.locator("#result")).to_contain_text("was sent to it")
    choose(page, proof.replace(b"\nindex ", b"\nindex 1"), "bad.tlog-proof")
    expect(page.locator("#result .notice")).to_contain_text("does not verify", timeout=10_000)


def test_file_dropped_on_the_page_is_looked_up(visit: Visitor) -> None:
    page = visit().go("/verify")
    page.evaluate("""() => {
      const carried = new DataTransfer();
      carried.items.add(new File(["x"], "x.txt"));
      document.querySelector("#drop").dispatchEvent(new DragEvent("drop", {dataTransfer: carried, bubbles: true}));
    }""")
    expect(page.locator("#result code").first).to_have_text(hashlib.sha256(b"x").hexdigest(), timeout=10_000)


def test_page_works_by_keyboard_and_without_scripts(visit: Visitor, library: Any) -> None:
    page = visit(java_script_enabled=False).go("/verify")
    expect(page.locator("#drop")).to_be_hidden()
    page.locator("#q").focus()
    page.keyboard.type(library.book)
    page.keyboard.press("Enter")
    expect(page.locator(".known h3")).to_have_text("試書")


def test_link_of_the_reader_leads_to_the_certificate_of_the_page_that_is_shown(visit: Visitor, library: Any) -> None:
    page = visit().go(f"/works/{library.book}/read?page=1")
    link = page.locator("#certificate")
    first = link.get_attribute("href")
    page.locator("[data-do=next]").first.click()
    expect(link).not_to_have_attribute("href", first or "", timeout=10_000)
    link.click()
    expect(page.locator(".certificate")).to_contain_text("第 2 面")
