// The strip of page thumbnails under the picture, in reading order from the side where the book begins.

import type { Book } from "./manifest";

export class Strip {
  private readonly links: HTMLAnchorElement[];

  constructor(
    private readonly element: HTMLElement,
    book: Book,
    private readonly reducedMotion: boolean,
    pageUrl: (page: number) => string,
    onChoose: (page: number) => void,
  ) {
    element.dir = book.direction === "right-to-left" ? "rtl" : "ltr";
    this.links = book.pages.map((page) => {
      const link = document.createElement("a");
      link.href = pageUrl(page.number);
      link.append(page.thumbnail ? thumbnail(page.thumbnail, page.width / page.height) : missingLeaf());
      const label = document.createElement("span");
      label.textContent = page.label;
      link.append(label);
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        onChoose(page.number);
      });
      return link;
    });
    element.replaceChildren(...this.links);
    element.hidden = book.pages.length < 2;
  }

  /** Marks the pages that have hits, as many as `counts` says; `label` returns that in words. */
  count(counts: ReadonlyMap<number, number>, label: (count: number) => string): void {
    this.links.forEach((link, index) => {
      link.querySelector("b")?.remove();
      const count = counts.get(index + 1);
      if (count === undefined) return;
      const badge = document.createElement("b");
      badge.dir = "ltr"; // the strip of a right-to-left book is not
      badge.textContent = label(count);
      link.append(badge);
    });
  }

  /** Shows the thumbnails of these pages, in this order. */
  arrange(pages: number[]): void {
    this.element.replaceChildren(...pages.flatMap((number) => this.links[number - 1] ?? []));
  }

  /**
   * Marks a page as the current one and scrolls its thumbnail to the centre. It alone can be reached by the tab key, as
   * a book has hundreds; while the strip has the focus, the focus follows the pages that keys turn.
   */
  mark(page: number): void {
    const focused = this.element.contains(document.activeElement);
    this.links.forEach((link, index) => {
      const current = index + 1 === page;
      link.tabIndex = current ? 0 : -1;
      if (current) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    });
    const link = this.links[page - 1];
    if (!link) return;
    if (focused) link.focus({ preventScroll: true });
    const strip = this.element.getBoundingClientRect();
    const box = link.getBoundingClientRect();
    const left = box.left + box.width / 2 - (strip.left + strip.width / 2);
    this.element.scrollBy({ left, behavior: this.reducedMotion ? "instant" : "smooth" });
  }
}

const THUMBNAIL_HEIGHT = 72;
const MAX_WIDTH = 160;

function thumbnail(url: string, aspectRatio: number): HTMLImageElement {
  const image = document.createElement("img");
  image.loading = "lazy";
  image.alt = "";
  image.height = THUMBNAIL_HEIGHT;
  image.width = Math.max(12, Math.min(MAX_WIDTH, Math.round(THUMBNAIL_HEIGHT * aspectRatio)));
  image.src = url;
  return image;
}

function missingLeaf(): HTMLElement {
  const mark = document.createElement("i");
  mark.className = "missing";
  return mark;
}
