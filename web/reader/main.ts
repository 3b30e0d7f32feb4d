// The reader. The server sends a page that works as plain HTML; this script adds deep zoom, thumbnails and key control.

import { DeepZoom, ImageServiceError } from "./deep_zoom";
import { actionOf, isCharacter, isTyping, type Action } from "./keys";
import { fetchBook, type Book, type Page } from "./manifest";
import { PrintedPicture } from "./printed_picture";
import { Strip } from "./strip";

type Messages = Record<string, string>;

/** Points the link to the certificate to that of the page's image, whose identifier ends the URL of its service. */
function linkCertificate(page: Page): void {
  const link = document.querySelector<HTMLAnchorElement>("#certificate");
  if (!link) return;
  const image = page.service?.split("/").pop();
  link.hidden = image === undefined;
  if (image !== undefined) link.href = (link.dataset["address"] ?? "").replace("{image}", image);
}

class Reader {
  private number: number;
  private readonly zoom: DeepZoom;
  private readonly strip: Strip;
  private readonly printed = new PrintedPicture(element("#content"));
  private focusedBefore: Element | null = null;

  constructor(
    root: HTMLElement,
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
    // The picture has the focus first, so that its keys act at once. A focus ring shows when a key is pressed.
    if (document.activeElement === document.body) focusQuietly(this.zoom.canvas);
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
    element("#address").textContent = location.href;
    linkCertificate(page);
    this.strip.mark(number);
    try {
      await this.zoom.show(page);
      this.printed.prepare(page);
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
    const name = fill(this.messages["reader.picture"] ?? "", {
      title: element("h1").textContent ?? "",
      number: String(page.number),
      label: page.label,
    });
    document.title = `${name} · ${this.messages["site.name"]}`;
    this.zoom.name(name);
    this.printed.name(name);
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
    document.addEventListener("fullscreenchange", () => {
      if (!document.fullscreenElement && this.focusedBefore instanceof HTMLElement) focusQuietly(this.focusedBefore);
    });
    document.addEventListener("keydown", (event) => {
      const action = isTyping(event) ? null : actionOf(event, this.book.direction, this.page.continuous);
      if (action === null || (isCharacter(event) && !hasFocusedPicture())) return;
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

  /** Shows the picture alone on the full screen. The focus goes to it, and returns afterwards to where it was. */
  private async toggleFullScreen(): Promise<void> {
    if (!document.fullscreenEnabled) return;
    if (document.fullscreenElement) {
      await document.exitFullscreen();
      return;
    }
    this.focusedBefore = document.activeElement;
    await element("#content").requestFullscreen();
    focusQuietly(this.zoom.canvas);
  }
}

/**
 * Returns whether the picture or the strip has the focus. Only then do keys that type a character act, because speech
 * input types characters (WCAG 2.2, success criterion 2.1.4).
 */
function hasFocusedPicture(): boolean {
  return document.activeElement?.closest("#content, #strip") != null;
}

/** Moves the focus without a focus ring, in browsers that can. */
function focusQuietly(target: HTMLElement): void {
  target.focus({ preventScroll: true, focusVisible: false } as FocusOptions);
}

/** Returns a text with its names in braces filled in. */
function fill(text: string, values: Record<string, string>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}

function element<Kind extends HTMLElement>(selector: string): Kind {
  const found = document.querySelector<Kind>(selector);
  if (!found) throw new Error(`the page has no element ${selector}`);
  return found;
}

/** Sets the page to which the links of an action lead; null disables them, at the ends of the book. They keep the focus. */
function setLinkTarget(action: Action, page: number | null): void {
  for (const link of document.querySelectorAll<HTMLAnchorElement>(`a[data-do="${action}"]`)) {
    if (page === null) link.removeAttribute("href");
    else link.href = pageUrl(page);
    link.tabIndex = 0;
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
