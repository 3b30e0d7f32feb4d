// The search field of the reader and the list of its hits. Without this script the field leads to a page of hits.

import { Completion } from "./completion";
import { searchWithin, type Hit, type Hits } from "./content_search";
import type { Region } from "./content_state";

/** A part of the page that has a hit, or the line that is chosen in the text. */
export interface Mark {
  region: Region;
  /** Whether it belongs to the hit that is chosen in the list, or is the line. */
  current: boolean;
  isLine?: boolean;
}

/** Characters of a hit on a page, in the order of the text. */
export interface FoundText {
  text: string;
  region: Region | null;
  /** Whether it belongs to the hit that is chosen in the list. */
  current: boolean;
}

/** What the finder needs of the reader; pages are counted from 1. */
export interface Book {
  service: string;
  /** The service that completes what is typed; null without one. */
  completion: string | null;
  pageOf: (canvas: string) => number | undefined;
  label: (page: number) => string;
  /** The page that is shown. */
  page: () => number;
  url: (page: number) => string;
  /** Called when other hits are found or another one is chosen: shows the page, or only the marks where it is null. */
  show: (page: number | null) => void;
  /** Called when the search ends. */
  leave: () => void;
}

interface FoundHit extends Hit {
  page: number;
}

const BEFORE = 10;
const AFTER = 14;

export class Finder {
  private text = "";
  private hits: FoundHit[] = [];
  private links: HTMLAnchorElement[] = [];
  private chosen = -1;
  private search = 0;

  private readonly field: HTMLInputElement;
  private readonly status: HTMLElement;
  private readonly list: HTMLElement;
  private readonly turns: HTMLButtonElement[];

  constructor(
    form: HTMLFormElement,
    private readonly panel: HTMLElement,
    private readonly book: Book,
    private readonly messages: Record<string, string>,
  ) {
    this.field = form.querySelector('input[type="search"]')!;
    this.status = panel.querySelector('[role="status"]')!;
    this.list = panel.querySelector("ol")!;
    this.turns = [...panel.querySelectorAll<HTMLButtonElement>("button[data-step]")];
    const terms = form.querySelector<HTMLElement>('[role="listbox"]');
    if (terms && book.completion !== null) {
      new Completion(this.field, terms, book.completion, (count) => fill(messages["find.on-page"], { count: String(count) }));
    }
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.field.value.trim();
      if (text === "") this.close();
      else if (text === this.text && this.hits.length > 0) this.step(1);
      else void this.find(text);
    });
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !event.shiftKey || event.isComposing || event.defaultPrevented) return;
      event.preventDefault();
      this.step(-1);
    });
    for (const button of this.turns) button.addEventListener("click", () => this.step(Number(button.dataset["step"])));
    panel.querySelector("button[data-close]")?.addEventListener("click", () => this.close());
    for (const part of [form, panel]) {
      part.addEventListener("keydown", (event) => {
        if (event.key !== "Escape" || event.isComposing || event.defaultPrevented) return;
        event.preventDefault();
        this.close();
      });
    }
    if (this.field.value.trim() !== "") void this.find(this.field.value.trim(), false);
  }

  /** What is sought; '' while nothing is. */
  get sought(): string {
    return this.text;
  }

  /** How many hits begin on each page that has any. */
  get counts(): Map<number, number> {
    const counts = new Map<number, number>();
    for (const hit of this.hits) counts.set(hit.page, (counts.get(hit.page) ?? 0) + 1);
    return counts;
  }

  focus(): void {
    this.field.focus();
    this.field.select();
  }

  /** Returns what was found on a page. */
  found(page: number): FoundText[] {
    return this.hits.flatMap((hit, number) =>
      hit.places.flatMap(({ canvas, region, text }) =>
        this.book.pageOf(canvas) === page ? [{ text, region, current: number === this.chosen }] : [],
      ),
    );
  }

  /** Returns the marks of a page. */
  marks(page: number): Mark[] {
    return this.found(page).flatMap(({ region, current }) => (region ? [{ region, current }] : []));
  }

  /** Chooses the hit that is that many further. */
  step(places: number): void {
    if (this.hits.length === 0) return;
    this.choose((this.chosen + places + this.hits.length) % this.hits.length);
  }

  /** Ends the search. */
  close(): void {
    this.search++;
    this.field.value = "";
    this.text = "";
    this.listHits([]);
    this.panel.hidden = true;
    this.book.show(null);
    this.book.leave();
  }

  /** Shows the hits of a text, and turns to the first one from the page on that is shown, if `turn`. */
  private async find(text: string, turn = true): Promise<void> {
    const search = ++this.search;
    this.panel.hidden = false;
    this.panel.setAttribute("aria-busy", "true");
    let found: Hits | null = null;
    try {
      found = await searchWithin(this.book.service, text);
    } catch {
      // The notice below says so.
    }
    if (search !== this.search) return;
    this.panel.removeAttribute("aria-busy");
    this.text = text;
    this.listHits(found?.hits ?? []);
    if (this.hits.length === 0) {
      this.status.textContent = fill(this.messages[found ? "find.none" : "find.failed"], { text });
      this.book.show(null);
      return;
    }
    const page = this.book.page();
    const next = this.hits.findIndex((hit) => hit.page >= page);
    this.choose(Math.max(next, 0), turn || this.hits[next]?.page === page);
    if (found?.more) this.status.textContent += fill(this.messages["find.more"], { count: String(this.hits.length) });
  }

  private choose(number: number, turn = true): void {
    this.links[this.chosen]?.removeAttribute("aria-current");
    this.chosen = turn ? number : -1;
    const link = this.links[this.chosen];
    link?.setAttribute("aria-current", "true");
    link?.scrollIntoView({ block: "nearest" });
    const counted = { number: String(number + 1), total: String(this.hits.length) };
    this.status.textContent = fill(this.messages[turn ? "find.place" : "find.count"], counted);
    this.book.show(turn ? (this.hits[number]?.page ?? null) : null);
  }

  /** Lists hits; those on canvases that the book does not have are left out. */
  private listHits(hits: Hit[]): void {
    this.chosen = -1;
    this.hits = hits.flatMap((hit) => {
      const page = this.book.pageOf(hit.places[0]!.canvas);
      return page === undefined ? [] : [{ ...hit, page }];
    });
    this.links = this.hits.map((hit, number) => this.link(hit, number));
    this.list.replaceChildren(
      ...this.links.map((link) => {
        const item = document.createElement("li");
        item.append(link);
        return item;
      }),
    );
    for (const button of this.turns) button.disabled = this.hits.length < 2;
  }

  private link(hit: FoundHit, number: number): HTMLAnchorElement {
    const link = document.createElement("a");
    link.href = this.book.url(hit.page);
    const line = document.createElement("span");
    line.lang = "zh";
    const mark = document.createElement("mark");
    mark.textContent = hit.match;
    line.append([...hit.before].slice(-BEFORE).join(""), mark, [...hit.after].slice(0, AFTER).join(""));
    const where = document.createElement("small");
    where.textContent = this.book.label(hit.page);
    link.append(line, where);
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.choose(number);
    });
    return link;
  }
}

/** Returns a text with its names in braces filled in. */
export function fill(text: string | undefined, values: Record<string, string>): string {
  return (text ?? "").replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}
