// Completes what is typed in the search field by what the book has, as a combobox with a list (WAI-ARIA 1.2):
// https://www.w3.org/WAI/ARIA/apg/patterns/combobox/ . The field works without it.

import { completionsOf, type Term } from "./content_search";

const WAIT = 180;

export class Completion {
  private timer = 0;
  private request = new AbortController();
  private options: HTMLElement[] = [];
  private active = -1;

  /** `service` is the completion service of a work (Content Search 2.0); `counted` says how often a term was found. */
  constructor(
    private readonly field: HTMLInputElement,
    private readonly list: HTMLElement,
    private readonly service: string,
    private readonly counted: (count: number) => string,
  ) {
    field.setAttribute("role", "combobox");
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", list.id);
    field.setAttribute("aria-expanded", "false");
    field.addEventListener("input", (event) => {
      // What is being composed, as pinyin, is no text yet; its end is announced by another event.
      if (!(event as InputEvent).isComposing) this.ask();
    });
    field.addEventListener("compositionend", () => this.ask());
    field.addEventListener("keydown", (event) => this.onKey(event));
    field.addEventListener("blur", () => this.close());
    field.form?.addEventListener("submit", () => this.close());
    // A press moves the focus from the field, which would close the list before the click.
    list.addEventListener("pointerdown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => {
      const option = (event.target as Element).closest<HTMLElement>('[role="option"]');
      if (!option) return;
      this.take(option);
      field.form?.requestSubmit();
    });
  }

  private ask(): void {
    window.clearTimeout(this.timer);
    this.request.abort();
    const typed = this.field.value.trim();
    if (typed === "") this.close();
    else this.timer = window.setTimeout(() => void this.complete(typed), WAIT);
  }

  private async complete(typed: string): Promise<void> {
    this.request = new AbortController();
    const { signal } = this.request;
    const terms = await completionsOf(this.service, typed, signal);
    if (!signal.aborted && document.activeElement === this.field) this.show(terms.filter((term) => term.value !== typed));
  }

  private show(terms: Term[]): void {
    this.options = terms.map(({ value, total }, index) => {
      const option = document.createElement("li");
      option.id = `${this.list.id}-${index + 1}`;
      option.role = "option";
      option.dataset["value"] = value;
      option.setAttribute("aria-selected", "false");
      const count = document.createElement("small");
      count.textContent = total === null ? "" : this.counted(total);
      count.lang = document.documentElement.lang;
      option.append(value, " ", count);
      return option;
    });
    this.list.replaceChildren(...this.options);
    this.setActive(-1);
    this.list.hidden = terms.length === 0;
    this.field.setAttribute("aria-expanded", String(terms.length > 0));
  }

  private close(): void {
    window.clearTimeout(this.timer);
    this.request.abort();
    this.show([]);
  }

  /** Moves through the list and the field, which is at -1; Enter takes the option and lets the form be sent. */
  private onKey(event: KeyboardEvent): void {
    if (event.isComposing || this.list.hidden) return;
    const places = this.options.length + 1;
    if (event.key === "ArrowDown") this.setActive(((this.active + 2) % places) - 1);
    else if (event.key === "ArrowUp") this.setActive(((this.active + places) % places) - 1);
    else if (event.key === "Escape") this.close();
    else {
      const option = this.options[this.active];
      if (event.key === "Enter" && option && !event.shiftKey) this.take(option);
      return;
    }
    event.preventDefault();
  }

  private take(option: HTMLElement): void {
    this.field.value = option.dataset["value"] ?? "";
    this.close();
  }

  private setActive(place: number): void {
    this.active = place;
    this.options.forEach((option, index) => option.setAttribute("aria-selected", String(index === place)));
    const option = this.options[place];
    if (option) {
      this.field.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else this.field.removeAttribute("aria-activedescendant");
  }
}
