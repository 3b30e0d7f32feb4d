"""What axe-core finds wrong with the accessibility of a page, by the rules of WCAG 2.2 AA and its best practices."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from playwright.sync_api import Page
from prerequisites import require

_AXE: Final = Path(__file__).parents[1] / "browser/node_modules/axe-core/axe.min.js"
_RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_FIND: Final = """
async (rules) => {
  const found = await axe.run(document, {runOnly: rules});
  return found.violations.flatMap((rule) =>
    rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 200)}: ${node.failureSummary}`));
}
"""


def violations(page: Page) -> list[str]:
    """Return the violations that axe finds in the page as it is now, once its requests have ended."""
    page.wait_for_load_state("networkidle")
    page.evaluate(Path(require(_AXE, "axe-core (npm packages; make .make/viewers)")).read_text("utf-8"))
    return list(page.evaluate(_FIND, _RULES))
