// A row of links to choose one of a few: the photographs of a page, the orders of reading. Hidden where there is no choice.

export class Chips {
  private readonly list: HTMLElement;

  constructor(
    private readonly element: HTMLElement,
    private readonly onChoose: (place: number) => void,
  ) {
    this.list = element.querySelector("ul")!;
  }

  /** Shows the choices, of which the one at `chosen` is current; `url` returns the address of each. */
  show(labels: string[], chosen: number, url: (place: number) => string): void {
    const focused = this.list.contains(document.activeElement);
    this.element.hidden = labels.length < 2;
    const links = labels.map((label, place) => {
      const link = document.createElement("a");
      link.textContent = label;
      link.href = url(place);
      if (place === chosen) link.setAttribute("aria-current", "true");
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        this.onChoose(place);
      });
      return link;
    });
    this.list.replaceChildren(
      ...links.map((link) => {
        const item = document.createElement("li");
        item.append(link);
        return item;
      }),
    );
    if (focused) links[chosen]?.focus({ preventScroll: true });
  }
}
