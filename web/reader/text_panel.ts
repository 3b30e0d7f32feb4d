// The panel with the text of the page beside its picture. A line that is chosen is marked on the picture.

import { fragmentOf, type Region } from "./content_state";
import { fill, type FoundText } from "./finder";
import { spansOf, type Span } from "./found_lines";
import { fetchTexts, isVertical, TextError, type Line, type PageText } from "./page_texts";

/** What the panel needs of the reader; pages are counted from 1. */
export interface PanelBook {
  /** What a search has found on a page. */
  found: (page: number) => FoundText[];
  url: (page: number) => string;
  /** Marks the line that is chosen. */
  mark: () => void;
}

export class TextPanel {
  private page = 0;
  private texts: PageText[] = [];
  private links: (HTMLAnchorElement | null)[] = [];
  private chosen = -1;
  /** Whether the reader wants columns; null while nothing was said, so that the text decides. */
  private vertical: boolean | null = null;
  private readonly fetched = new Map<number, Promise<PageText[]>>();

  /** Whether the panel is beside the picture and has its height; if not, it is below the picture. */
  private readonly wide = window.matchMedia("(min-width: 56rem)");

  private readonly choice: HTMLSelectElement;
  private readonly status: HTMLElement;
  private readonly list: HTMLElement;
  private readonly columns: HTMLButtonElement;

  constructor(
    private readonly panel: HTMLElement,
    private readonly button: HTMLElement,
    private readonly book: PanelBook,
    private readonly messages: Record<string, string>,
  ) {
    this.choice = panel.querySelector("select")!;
    this.status = panel.querySelector('[role="status"]')!;
    this.list = panel.querySelector("ol")!;
    this.columns = panel.querySelector("button[data-vertical]")!;
    this.choice.addEventListener("change", () => {
      this.showText();
      this.book.mark();
    });
    this.columns.addEventListener("click", () => {
      this.vertical = this.columns.getAttribute("aria-pressed") !== "true";
      this.arrange();
    });
    panel.querySelector("button[data-close]")?.addEventListener("click", () => this.close());
    panel.addEventListener("keydown", (event) => this.onKey(event));
  }

  get isOpen(): boolean {
    return !this.panel.hidden;
  }

  /** The place of the line that is chosen; null if there is none. */
  get chosenRegion(): Region | null {
    return this.shown?.lines[this.chosen]?.region ?? null;
  }

  toggle(): void {
    if (this.isOpen) {
      this.close();
      return;
    }
    this.panel.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    void this.load();
  }

  /** Shows the texts of a page, if the panel is open. */
  turnTo(page: number): void {
    this.page = page;
    this.chosen = -1;
    if (this.isOpen) void this.load();
  }

  /** Marks in the text what a search has found. A line that was chosen is let go where `letGo`. */
  markHits(letGo = false): void {
    if (letGo) this.choose(-1, false);
    const spans = spansOf(this.shown?.lines ?? [], this.book.found(this.page));
    this.links.forEach((_, index) => this.fillLine(index, spans[index] ?? []));
    this.scrollTo(this.list.querySelector("mark.current"));
  }

  private get shown(): PageText | undefined {
    return this.texts[Number(this.choice.value)];
  }

  private close(): void {
    const focused = this.panel.contains(document.activeElement);
    this.panel.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    this.choose(-1);
    if (focused) this.button.focus();
  }

  private async load(): Promise<void> {
    const page = this.page;
    this.panel.setAttribute("aria-busy", "true");
    let message = this.messages["text.empty-here"];
    let texts: PageText[] = [];
    try {
      texts = await this.textsOf(page);
    } catch (fault) {
      const refused = fault instanceof TextError && (fault.status === 401 || fault.status === 403);
      message = this.messages[refused ? "text.refused" : "text.failed"];
    }
    if (page !== this.page) return;
    this.panel.removeAttribute("aria-busy");
    this.texts = texts;
    this.listChoices();
    this.showText();
    if (texts.length === 0) this.status.textContent = message ?? "";
  }

  private textsOf(page: number): Promise<PageText[]> {
    const known = this.fetched.get(page);
    if (known) return known;
    const address = (this.panel.dataset["address"] ?? "").replace("{page}", String(page));
    const pending = fetchTexts(address, document.documentElement.lang);
    this.fetched.set(page, pending);
    pending.catch(() => this.fetched.delete(page));
    return pending;
  }

  private listChoices(): void {
    const options = this.texts.map((text, index) => new Option(nameOf(text), String(index)));
    this.choice.replaceChildren(...options);
    this.choice.hidden = options.length < 2;
  }

  private showText(): void {
    const text = this.shown;
    this.chosen = -1;
    this.status.textContent = text ? this.origin(text) : "";
    if (text?.language) this.list.lang = text.language;
    const items = (text?.lines ?? []).map((line, index) => this.item(line, index));
    const focused = this.list.contains(document.activeElement);
    this.links = items.map((item) => item.querySelector("a"));
    this.list.replaceChildren(...items);
    const first = this.links.find((link) => link !== null);
    this.setStop(first ? this.links.indexOf(first) : -1);
    this.list.tabIndex = first ? -1 : 0; // what has no links is scrolled by keys
    if (focused) (first ?? this.list).focus({ preventScroll: true });
    this.arrange();
    this.markHits();
  }

  /** Returns what a text is, where it comes from and how good it is, in words; a choice has the first two already. */
  private origin(text: PageText): string {
    const parts = this.choice.hidden ? [text.label] : [];
    if (this.choice.hidden && text.source) parts.push(fill(this.messages["text.source"], { source: text.source }));
    if (text.quality !== null) parts.push(fill(this.messages["text.quality"], { percent: String(Math.round(text.quality * 100)) }));
    return parts.join(" · ");
  }

  private item(line: Line, index: number): HTMLLIElement {
    const item = document.createElement("li");
    if (line.isNote) {
      item.className = "note";
      item.title = this.messages["text.note"] ?? "";
    }
    if (!line.region) {
      item.append(line.text);
      return item;
    }
    const link = document.createElement("a");
    link.href = this.book.url(this.page) + fragmentOf(line.region);
    link.draggable = false; // so that characters can be selected
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      // The end of a selection is a click as well.
      if (document.getSelection()?.type !== "Range") this.choose(index === this.chosen ? -1 : index);
    });
    link.append(line.text);
    item.append(link);
    return item;
  }

  /** Writes a line with the characters marked that a search has found. */
  private fillLine(index: number, spans: readonly Span[]): void {
    const line = this.shown?.lines[index];
    const holder = this.links[index] ?? this.list.children[index];
    if (!line || !holder) return;
    const parts: (string | HTMLElement)[] = [];
    let end = 0;
    for (const span of spans) {
      const mark = document.createElement("mark");
      mark.textContent = line.text.slice(span.start, span.end);
      if (span.current) mark.className = "current";
      parts.push(line.text.slice(end, span.start), mark);
      end = span.end;
    }
    holder.replaceChildren(...parts, line.text.slice(end));
  }

  private choose(index: number, mark = true): void {
    this.links[this.chosen]?.removeAttribute("aria-current");
    this.chosen = index;
    const link = this.links[index];
    if (link) {
      link.setAttribute("aria-current", "true");
      this.setStop(index);
    }
    if (mark) this.book.mark();
  }

  /** Makes a line the one that the tab key reaches: a page may have dozens. The arrow keys reach the others. */
  private setStop(index: number): void {
    this.links.forEach((link, place) => {
      if (link) link.tabIndex = place === index ? 0 : -1;
    });
  }

  private onKey(event: KeyboardEvent): void {
    if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Escape") this.close();
    else {
      const focused = this.links.findIndex((link) => link !== null && link === document.activeElement);
      const step = this.stepOf(event.key);
      if (focused < 0 || step === 0) return;
      let place = focused + step;
      while (this.links[place] === null) place += step;
      const link = this.links[place];
      if (link) {
        link.focus();
        this.choose(place);
      }
    }
    event.preventDefault();
    event.stopPropagation(); // the arrow keys of the reader turn pages
  }

  /** Returns how many lines further a key leads: in columns, which run from the right, the left arrow is forward. */
  private stepOf(key: string): number {
    const isVertical = this.columns.getAttribute("aria-pressed") === "true";
    const [forward, back] = isVertical ? ["ArrowLeft", "ArrowRight"] : ["ArrowDown", "ArrowUp"];
    return key === forward ? 1 : key === back ? -1 : 0;
  }

  private arrange(): void {
    const suits = this.wide.matches && this.shown !== undefined && isVertical(this.shown);
    const columns = this.vertical ?? suits;
    this.columns.setAttribute("aria-pressed", String(columns));
    this.list.classList.toggle("columns", columns);
  }

  private scrollTo(element: Element | null): void {
    if (this.isOpen) element?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}

function nameOf(text: PageText): string {
  return [text.label, text.source].filter((part) => part !== "").join(" · ");
}
