// The reader: takes over a page that already shows its picture and its links, and makes it a book in deep zoom.

import { DeepZoom, PictureFault } from "./deep_zoom";
import { actionOf, isTyping, type Action } from "./keys";
import { fetchBook, type Book, type Page } from "./manifest";
import { Strip } from "./strip";

type Words = Record<string, string>;

class Reader {
  private number: number;
  private readonly zoom: DeepZoom;
  private readonly strip: Strip;

  constructor(
    private readonly root: HTMLElement,
    private readonly book: Book,
    private readonly words: Words,
  ) {
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    const view = part("#view");
    this.number = Number(root.dataset["page"]);
    this.zoom = new DeepZoom(view, book.direction, calm, (way) => this.swipe(way), () => this.reveal());
    this.strip = new Strip(part("#strip"), book, calm, address, (page) => this.open(page));
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
    this.describe(page);
    this.tell(page.service === null ? this.words["reader.missing"] : "");
    history.replaceState(null, "", address(number));
    this.strip.mark(number);
    try {
      await this.zoom.show(page);
      const next = this.book.pages[number];
      if (next && this.number === number) await this.zoom.preload(next);
    } catch (fault) {
      if (this.number === number) this.tell(this.explain(fault));
    }
  }

  private explain(fault: unknown): string | undefined {
    const refused = fault instanceof PictureFault && (fault.status === 401 || fault.status === 403);
    return this.words[refused ? "reader.refused" : "reader.lost"];
  }

  private describe(page: Page): void {
    const total = this.book.pages.length;
    part("#location").textContent = [...page.places, page.label].join(" · ");
    part("#of").textContent = `/ ${total}`;
    part<HTMLInputElement>("#goto").value = String(page.number);
    point("previous", page.number > 1 ? page.number - 1 : null);
    point("next", page.number < total ? page.number + 1 : null);
    point("first", page.number > 1 ? 1 : null);
    point("last", page.number < total ? total : null);
    for (const link of document.querySelectorAll<HTMLAnchorElement>("a[data-language]")) {
      link.href = `${address(page.number)}&lang=${link.dataset["language"]}`;
    }
  }

  private tell(message: string | undefined): void {
    const notice = part("#notice");
    notice.textContent = message ?? "";
    notice.hidden = !message;
    if (message) this.reveal();
  }

  /** The first picture shown by the server steps back once the deep zoom has something to show. */
  private reveal(): void {
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
    part<HTMLFormElement>("#goto-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.open(part<HTMLInputElement>("#goto").valueAsNumber || this.number);
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

  /** A finger that goes right uncovers what lies to the left: in a right-to-left book, the next page. */
  private swipe(way: "left" | "right"): void {
    this.act((way === "right") === this.rightToLeft ? "next" : "previous");
  }

  private async toggleFullScreen(): Promise<void> {
    if (!document.fullscreenEnabled) return;
    if (document.fullscreenElement) await document.exitFullscreen();
    else await this.root.requestFullscreen();
  }
}

function part<Kind extends HTMLElement>(selector: string): Kind {
  const element = document.querySelector<Kind>(selector);
  if (!element) throw new Error(`the page has no ${selector}`);
  return element;
}

/** Points the links that turn the page; at the ends of the book they lead nowhere and say so. */
function point(action: Action, page: number | null): void {
  for (const link of document.querySelectorAll<HTMLAnchorElement>(`a[data-do="${action}"]`)) {
    if (page === null) link.removeAttribute("href");
    else link.href = address(page);
    link.setAttribute("aria-disabled", String(page === null));
  }
}

function address(page: number): string {
  return `?page=${page}`;
}

async function start(): Promise<void> {
  const root = part("#reader");
  const words = JSON.parse(root.dataset["messages"] ?? "{}") as Words;
  try {
    const book = await fetchBook(root.dataset["manifest"] ?? "", document.documentElement.lang);
    root.classList.add("live");
    new Reader(root, book, words);
    for (const tool of root.querySelectorAll<HTMLElement>("[data-live]")) tool.hidden = false;
    part('[data-do="full-screen"]').hidden = !document.fullscreenEnabled;
  } catch {
    // The page goes on without us: its picture and its links are plain HTML.
    const notice = part("#notice");
    notice.textContent = words["reader.plain"] ?? "";
    notice.hidden = false;
  }
}

void start();
