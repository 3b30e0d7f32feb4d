// The picture that a printed page shows: the whole page, whatever deep zoom shows of it. Only print shows the element.

import type { Page } from "./manifest";

/** The longest side in pixels, which the server's page has too: 140 pixels an inch on the height of A4 paper. */
const LONGEST_SIDE = 1600;

/** How long a page is shown before its picture for print is fetched: turning pages quickly fetches none. */
const DWELL_MILLISECONDS = 1500;

export class PrintedPicture {
  private timer: number | undefined;
  private source: string | null = null;

  private readonly image = document.createElement("img");

  /** Adds the picture to `parent`. */
  constructor(parent: HTMLElement) {
    this.image.className = "printed";
    parent.append(this.image);
    window.addEventListener("beforeprint", () => this.fetch());
  }

  name(picture: string): void {
    this.image.alt = picture;
  }

  /** Fetches the picture of a page shortly; at once when the page is printed. */
  prepare(page: Page): void {
    window.clearTimeout(this.timer);
    this.source = addressOf(page);
    if (this.source !== this.image.getAttribute("src")) this.image.removeAttribute("src");
    this.timer = window.setTimeout(() => this.fetch(), DWELL_MILLISECONDS);
  }

  private fetch(): void {
    if (this.source !== null) this.image.src = this.source;
  }
}

function addressOf(page: Page): string | null {
  if (page.service === null) return null;
  const scale = Math.min(1, LONGEST_SIDE / Math.max(page.width, page.height));
  const [width, height] = [page.width, page.height].map((side) => Math.max(1, Math.round(side * scale)));
  return `${page.service}/full/${width},${height}/0/default.jpg`;
}
