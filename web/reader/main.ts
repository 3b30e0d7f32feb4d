// The reader. The server sends a page that works as plain HTML; this script adds deep zoom, thumbnails and key control.

import { Chips } from "./chips";
import { regionOf, type Region } from "./content_state";
import { DeepZoom, ImageServiceError } from "./deep_zoom";
import { fill, Finder } from "./finder";
import { actionOf, isCharacter, isTyping, type Action } from "./keys";
import { fetchBook, type Book, type Page } from "./manifest";
import { PrintedPicture } from "./printed_picture";
import { acceptDrops, Share } from "./share";
import { Strip } from "./strip";
import { TextPanel } from "./text_panel";

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
  private readonly share = new Share(() => ({
    manifest: this.book.manifest,
    canvas: this.page.canvas,
    page: this.number,
    region: this.zoom.visibleRegion,
  }));
  private focusedBefore: Element | null = null;
  private readonly finder: Finder | null;
  private readonly text: TextPanel | null;
  private readonly orders: Chips;
  private readonly photographs: Chips;
  /** The order of reading: 0 for that of the canvases, else that of `Book.orders` with this number, from 1. */
  private order: number;
  /** The photograph of the page that is shown, counted from 0. */
  private photograph: number;

  constructor(
    root: HTMLElement,
    private readonly book: Book,
    private readonly messages: Messages,
  ) {
    const reducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    const view = element("#view");
    this.number = Number(root.dataset["page"]);
    this.order = Math.min(Number(root.dataset["order"] ?? 0), book.orders.length);
    this.photograph = Number(root.dataset["photograph"] ?? 1) - 1;
    this.zoom = new DeepZoom(view, book.direction, reducedMotion, (direction) => this.swipe(direction), () => this.removeStill());
    this.strip = new Strip(element("#strip"), book, reducedMotion, (page) => this.pageUrl(page), (page) => this.open(page));
    this.orders = new Chips(element("#orders"), (order) => this.follow(order));
    this.photographs = new Chips(element("#photographs"), (photograph) => this.choose(photograph));
    this.finder = this.openFinder();
    this.text = this.openText();
    this.listen();
    this.strip.arrange(this.sequence);
    void this.turnTo(this.number, this.photograph, regionOf(location.hash));
    // The picture has the focus first, so that its keys act at once. A focus ring shows when a key is pressed.
    if (document.activeElement === document.body) focusQuietly(this.zoom.canvas);
  }

  private get page(): Page {
    return this.book.pages[this.number - 1]!;
  }

  /** The numbers of the pages in the order of reading. */
  private get sequence(): number[] {
    return this.book.orders[this.order - 1]?.pages ?? this.book.pages.map((page) => page.number);
  }

  private pageUrl(number: number, photograph = 0, order = this.order): string {
    return `?page=${number}${photograph ? `&photograph=${photograph + 1}` : ""}${order ? `&order=${order}` : ""}${this.sought}`;
  }

  /** What is sought in the work, as the end of an address. */
  private get sought(): string {
    const text = this.finder?.sought;
    return text ? `&q=${encodeURIComponent(text)}` : "";
  }

  /** Returns the search field and the list of hits; null for a work that cannot be searched. */
  private openFinder(): Finder | null {
    const [form, panel] = [document.querySelector<HTMLFormElement>("#find"), document.querySelector<HTMLElement>("#found")];
    if (!form || !panel || this.book.search === null) return null;
    const numbers = new Map(this.book.pages.map((page) => [page.canvas, page.number]));
    return new Finder(
      form,
      panel,
      {
        service: this.book.search,
        completion: this.book.completion,
        pageOf: (canvas) => numbers.get(canvas),
        label: (number) => [...(this.book.pages[number - 1]?.ranges ?? []), this.book.pages[number - 1]?.label].join(" · "),
        page: () => this.number,
        url: (number) => this.pageUrl(number),
        show: (number) => this.showHits(number),
        leave: () => focusQuietly(this.zoom.canvas),
      },
      this.messages,
    );
  }

  /** Returns the panel with the text of the page; null for a work without text that this reader may see. */
  private openText(): TextPanel | null {
    const [panel, button] = [document.querySelector<HTMLElement>("#text"), document.querySelector<HTMLElement>('[data-do="text"]')];
    if (!panel || !button) return null;
    return new TextPanel(
      panel,
      button,
      {
        found: (page) => this.finder?.found(page) ?? [],
        url: (page) => this.pageUrl(page, this.photograph),
        mark: () => this.markHits(),
      },
      this.messages,
    );
  }

  /** Shows hits, and the page with this number if it is not null. */
  private showHits(number: number | null): void {
    this.strip.count(this.finder?.counts ?? new Map(), (count) => fill(this.messages["find.on-page"], { count: String(count) }));
    if (number !== null && number !== this.number) void this.turnTo(number);
    else {
      history.replaceState(null, "", this.pageUrl(this.number, this.photograph));
      this.text?.markHits(true);
      this.markHits();
    }
  }

  /** Marks on the picture what was found, and the line that is chosen in the text. */
  private markHits(): void {
    const region = this.text?.chosenRegion;
    const line = region ? [{ region, current: true, isLine: true }] : [];
    this.zoom.mark([...line, ...(this.finder?.marks(this.number) ?? [])]);
  }

  /** Follows another order of reading, from the page that is shown if it has a place in it. */
  private follow(order: number): void {
    this.order = order;
    this.strip.arrange(this.sequence);
    void this.turnTo(this.sequence.includes(this.number) ? this.number : this.sequence[0]!, this.photograph);
  }

  /** Shows another photograph of the page. */
  private choose(photograph: number): void {
    void this.turnTo(this.number, photograph);
  }

  /** Opens the page that many places further in the order of reading. */
  private step(places: number): void {
    const sequence = this.sequence;
    const place = Math.min(Math.max(sequence.indexOf(this.number) + places, 0), sequence.length - 1);
    this.open(sequence[place]!);
  }

  private get rightToLeft(): boolean {
    return this.book.direction === "right-to-left";
  }

  private open(number: number): void {
    const page = Math.min(Math.max(number, 1), this.book.pages.length);
    if (page !== this.number) void this.turnTo(page);
  }

  private async turnTo(number: number, photograph = 0, region: Region | null = null): Promise<void> {
    this.number = number;
    this.photograph = this.page.photographs[photograph] ? photograph : 0;
    const page = photographed(this.page, this.photograph);
    this.updateControls(page);
    this.updateChips(page);
    this.notify(page.service === null ? fill(this.messages["reader.no-picture"], { label: page.label }) : "");
    history.replaceState(null, "", this.pageUrl(number, this.photograph));
    element("#address").textContent = location.href;
    linkCertificate(page);
    this.strip.mark(number);
    this.zoom.mark([]);
    this.text?.turnTo(number);
    try {
      await this.zoom.show(page);
      if (this.number === number) this.markHits();
      if (region && this.number === number) this.zoom.showRegion(region);
      this.printed.prepare(page);
      const next = this.book.pages[(this.sequence[this.sequence.indexOf(number) + 1] ?? 0) - 1];
      if (next && this.number === number) await this.zoom.preload(next);
    } catch (fault) {
      if (this.number === number) this.notify(this.explanation(fault));
    }
  }

  private explanation(fault: unknown): string | undefined {
    const refused = fault instanceof ImageServiceError && (fault.status === 401 || fault.status === 403);
    return this.messages[refused ? "reader.refused" : "reader.failed"];
  }

  /** Shows which order of reading and which photograph is chosen, where there is a choice. */
  private updateChips(page: Page): void {
    const labels = [this.messages["reader.as-bound"] ?? "", ...this.book.orders.map((order) => order.label)];
    this.orders.show(labels, this.order, (order) => this.pageUrl(page.number, this.photograph, order));
    const photographs = page.photographs.map((photograph) => photograph.label);
    this.photographs.show(photographs, this.photograph, (photograph) => this.pageUrl(page.number, photograph));
  }

  private updateControls(page: Page): void {
    const total = this.book.pages.length;
    const sequence = this.sequence;
    const place = sequence.indexOf(page.number);
    element("#location").textContent = [...page.ranges, page.label].join(" · ");
    const name = fill(this.messages["reader.picture"], {
      title: element("h1").textContent ?? "",
      number: String(page.number),
      label: page.label,
    });
    document.title = `${name} · ${this.messages["site.name"]}`;
    this.zoom.name(name);
    this.printed.name(name);
    element("#of").textContent = `/ ${total}`;
    element<HTMLInputElement>("#goto").value = String(page.number);
    const targets: Record<"previous" | "next" | "first" | "last", number | undefined> = {
      previous: sequence[place - 1],
      next: sequence[place + 1],
      first: place > 0 ? sequence[0] : undefined,
      last: place < sequence.length - 1 ? sequence[sequence.length - 1] : undefined,
    };
    for (const [action, target] of Object.entries(targets)) {
      setLinkTarget(action as Action, target === undefined ? null : this.pageUrl(target));
    }
    for (const link of document.querySelectorAll<HTMLAnchorElement>("a[data-language]")) {
      link.href = `${this.pageUrl(page.number, this.photograph)}&lang=${link.dataset["language"]}`;
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
    window.addEventListener("hashchange", () => {
      const region = regionOf(location.hash);
      if (region) this.zoom.showRegion(region);
    });
    const share = document.querySelector<HTMLElement>("#share");
    if (share) acceptDrops(element("#view"), share.dataset["read"] ?? "");
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
    if (action === "next") this.step(1);
    else if (action === "previous") this.step(-1);
    else if (action === "first") this.open(this.sequence[0]!);
    else if (action === "last") this.open(this.sequence[this.sequence.length - 1]!);
    else if (action === "zoom-in" || action === "zoom-out") this.zoom.zoom(action === "zoom-in");
    else if (action === "fit") this.zoom.fit();
    else if (action === "rotate") this.zoom.rotate();
    else if (action === "share") this.share.open();
    else if (action === "text") this.text?.toggle();
    else if (action === "find") this.finder?.focus();
    else if (action === "next-hit") this.finder?.step(1);
    else if (action === "previous-hit") this.finder?.step(-1);
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

function element<Kind extends HTMLElement>(selector: string): Kind {
  const found = document.querySelector<Kind>(selector);
  if (!found) throw new Error(`the page has no element ${selector}`);
  return found;
}

/** Returns a page with one of its photographs as its picture. */
function photographed(page: Page, photograph: number): Page {
  return { ...page, ...page.photographs[photograph], label: page.label };
}

/** Sets the address to which the links of an action lead; null disables them, at the ends of the book. They keep the focus. */
function setLinkTarget(action: Action, address: string | null): void {
  for (const link of document.querySelectorAll<HTMLAnchorElement>(`a[data-do="${action}"]`)) {
    if (address === null) link.removeAttribute("href");
    else link.href = address;
    link.tabIndex = 0;
    link.setAttribute("aria-disabled", String(address === null));
  }
}

/** Exchanges the sides of the links that turn pages: the server cannot know the direction of a partner's book. */
function swapSides(): void {
  for (const link of document.querySelectorAll<HTMLAnchorElement>(".turn, .reader-foot > .tool")) {
    for (const side of ["left", "right"]) link.classList.toggle(side);
  }
  for (const [one, other] of [["next", "previous"], ["last", "first"]]) {
    const [first, second] = [element(`[data-do="${one}"]`), element(`[data-do="${other}"]`)];
    [first.innerHTML, second.innerHTML] = [second.innerHTML, first.innerHTML];
    const place = document.createComment("");
    first.replaceWith(place);
    second.replaceWith(first);
    place.replaceWith(second);
  }
}

async function start(): Promise<void> {
  const root = element("#reader");
  const messages = JSON.parse(root.dataset["messages"] ?? "{}") as Messages;
  try {
    const book = await fetchBook(root.dataset["manifest"] ?? "", document.documentElement.lang);
    root.classList.add("live");
    if ((root.dataset["fromRight"] === "true") !== (book.direction === "right-to-left")) swapSides();
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
