// The reader. The server sends a page that works as plain HTML; this script adds deep zoom, thumbnails and key control.

import { DeepZoom, ImageServiceError } from "./deep_zoom";
import { actionOf, isTyping, type Action } from "./keys";
import { fetchBook, type Book, type Page } from "./manifest";
import { Strip } from "./strip";

type Messages = Record<string, string>;

class Reader {
  private number: number;
  private readonly zoom: DeepZoom;
  private readonly strip: Strip;

  constructor(
    private readonly root: HTMLElement,
    private readonly book: Book,
    private readonly messages: Messages,
  ) {
    const reducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    const view = element("#view");
    this.number = Number(root.dataset["page"]);
    this.zoom = new DeepZoom(view, book.direction, reducedMotion, (direction) => this.swipe(direction), () => this.removeStill());
    this.strip = new Strip(element("#strip"), book, reducedMotion, pageUrl, (page) => this.open(page));
    this.listen();
    void this.turnTo(this.number);
  }

  private get page(): Page {
    return this.book.pages[this.number - 1]!;
  }

  private get rightToLeft(): boolean {
    return this.book.direction === "right-to-left";
  }

  private open(number: number): void {
    const page = Math.min(Math.max(number, 1), this.book.pages.length);
    if (page !== this.number) void this.turnTo(page);
  }

  private async turnTo(number: number): Promise<void> {
    this.number = number;
    const page = this.page;
    this.updateControls(page);
    this.notify(page.service === null ? this.messages["reader.missing"] : "");
    history.replaceState(null, "", pageUrl(number));
    this.strip.mark(number);
    try {
      await this.zoom.show(page);
      const next = this.book.pages[number];
      if (next && this.number === number) await this.zoom.preload(next);
    } catch (fault) {
      if (this.number === number) this.notify(this.explanation(fault));
    }
  }

  private explanation(fault: unknown): string | undefined {
    const refused = fault instanceof ImageServiceError && (fault.status === 401 || fault.status === 403);
    return this.messages[refused ? "reader.refused" : "reader.failed"];
  }

  private updateControls(page: Page): void {
    const total = this.book.pages.length;
    element("#location").textContent = [...page.ranges, page.label].join(" · ");
    element("#of").textContent = `/ ${total}`;
    element<HTMLInputElement>("#goto").value = String(page.number);
    setLinkTarget("previous", page.number > 1 ? page.number - 1 : null);
    setLinkTarget("next", page.number < total ? page.number + 1 : null);
    setLinkTarget("first", page.number > 1 ? 1 : null);
    setLinkTarget("last", page.number < total ? total : null);
    for (const link of document.querySelectorAll<HTMLAnchorElement>("a[data-language]")) {
      link.href = `${pageUrl(page.number)}&lang=${link.dataset["language"]}`;
    }
  }

  private notify(message: string | undefined): void {
    const notice = element("#notice");
    notice.textContent = message ?? "";
    notice.hidden = !message;
    if (message) this.removeStill();
  }

  /** Removes the server's still picture, once deep zoom has drawn a tile. */
  private removeStill(): void {
    document.querySelector("#still")?.remove();
  }

  private listen(): void {
    for (const control of document.querySelectorAll<HTMLElement>("[data-do]")) {
      control.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        this.act(control.dataset["do"] as Action);
      });
    }
    element<HTMLFormElement>("#goto-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.open(element<HTMLInputElement>("#goto").valueAsNumber || this.number);
    });
    document.addEventListener("keydown", (event) => {
      const action = isTyping(event) ? null : actionOf(event, this.book.direction, this.page.continuous);
      if (action === null) return;
      event.preventDefault();
      this.act(action);
    });
  }

  private act(action: Action): void {
    if (action === "next") this.open(this.number + 1);
    else if (action === "previous") this.open(this.number - 1);
    else if (action === "first") this.open(1);
    else if (action === "last") this.open(this.book.pages.length);
    else if (action === "zoom-in" || action === "zoom-out") this.zoom.zoom(action === "zoom-in");
    else if (action === "fit") this.zoom.fit();
    else if (action === "rotate") this.zoom.rotate();
    else if (action === "full-screen") void this.toggleFullScreen();
    else this.zoom.pan(action.slice("pan-".length) as "up" | "down" | "left" | "right");
  }

  /** Turns the page. A swipe to the right uncovers the page on the left: the next one in a right-to-left book. */
  private swipe(direction: "left" | "right"): void {
    this.act((direction === "right") === this.rightToLeft ? "next" : "previous");
  }

  private async toggleFullScreen(): Promise<void> {
    if (!document.fullscreenEnabled) return;
    if (document.fullscreenElement) await document.exitFullscreen();
    else await this.root.requestFullscreen();
  }
}

function element<Kind extends HTMLElement>(selector: string): Kind {
  const found = document.querySelector<Kind>(selector);
  if (!found) throw new Error(`the page has no element ${selector}`);
  return found;
}

/** Sets the page to which the links of an action lead; null disables them, at the ends of the book. */
function setLinkTarget(action: Action, page: number | null): void {
  for (const link of document.querySelectorAll<HTMLAnchorElement>(`a[data-do="${action}"]`)) {
    if (page === null) link.removeAttribute("href");
    else link.href = pageUrl(page);
    link.setAttribute("aria-disabled", String(page === null));
  }
}

function pageUrl(page: number): string {
  return `?page=${page}`;
}

async function start(): Promise<void> {
  const root = element("#reader");
  const messages = JSON.parse(root.dataset["messages"] ?? "{}") as Messages;
  try {
    const book = await fetchBook(root.dataset["manifest"] ?? "", document.documentElement.lang);
    root.classList.add("live");
    new Reader(root, book, messages);
    for (const tool of root.querySelectorAll<HTMLElement>("[data-live]")) tool.hidden = false;
    element('[data-do="full-screen"]').hidden = !document.fullscreenEnabled;
  } catch {
    // The page stays usable without this script: its picture and links are plain HTML.
    const notice = element("#notice");
    notice.textContent = messages["reader.no-zoom"] ?? "";
    notice.hidden = false;
  }
}

void start();
