// The page on which staff correct the lines of a text: draws the places of lines on the picture of the page, marks that of
// the line on which they work, and splits a line where the cursor stands. On wide screens the picture is open from the
// start, beside the lines. Without this script the same is done by the number fields of each line.

const SIDES = ["x", "y", "width", "height"] as const;
const SVG = "http://www.w3.org/2000/svg";
const WIDE = "(min-width: 64rem)"; // as in site.css

type Point = [number, number];

/** Counts characters as the server does: a mark or variation selector belongs to the character before it. */
function countCharacters(text: string): number {
  return [...text].filter((character, place) => place === 0 || !/\p{M}/u.test(character)).length;
}

class Line {
  readonly number: string;
  private readonly words: HTMLInputElement;
  private readonly sides: HTMLInputElement[];

  constructor(private readonly item: HTMLElement) {
    this.number = item.dataset["line"] ?? "";
    this.words = field(item, "line");
    this.sides = SIDES.map((side) => field(item, side));
    const split = field(item, "split");
    for (const type of ["keyup", "pointerup", "select"]) {
      this.words.addEventListener(type, () => {
        const before = countCharacters(this.words.value.slice(0, this.words.selectionStart ?? 0).trimStart());
        split.value = before > 0 ? `${before}` : "";
      });
    }
  }

  get place(): number[] | null {
    const values = this.sides.map((side) => side.value.trim());
    return values.every((value) => /^\d+$/.test(value)) ? values.map(Number) : null;
  }

  set place(values: readonly number[]) {
    this.sides.forEach((side, index) => (side.value = `${values[index] ?? ""}`));
  }

  focus(): void {
    this.words.focus();
  }

  whenPlaced(listener: () => void): void {
    for (const side of this.sides) side.addEventListener("input", listener);
  }

  whenChosen(listener: () => void): void {
    this.item.addEventListener("focusin", listener);
  }

  whenDrawing(listener: () => void): void {
    const button = this.item.querySelector<HTMLButtonElement>("button.draw")!;
    button.hidden = false;
    button.addEventListener("click", listener);
  }
}

class Sheet {
  private readonly svg = document.createElementNS(SVG, "svg");
  private readonly size: Point;
  private current: Line | null = null;
  private chosen: Line | null = null;
  private former: number[] | null = null;
  private start: Point | null = null;

  constructor(
    private readonly canvas: HTMLElement,
    private readonly hint: HTMLElement,
    private readonly lines: Line[],
  ) {
    this.size = [Number(canvas.dataset["width"]), Number(canvas.dataset["height"])];
    this.svg.setAttribute("viewBox", `0 0 ${this.size.join(" ")}`);
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.svg.setAttribute("aria-hidden", "true");
    canvas.append(this.svg);
    for (const line of lines) {
      line.whenPlaced(() => this.show());
      line.whenDrawing(() => this.begin(line));
      line.whenChosen(() => {
        this.chosen = line;
        this.show();
      });
    }
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", () => this.cancel());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.cancel();
    });
    this.show();
  }

  private begin(line: Line): void {
    this.current = line;
    this.former = line.place;
    this.canvas.closest("details")!.open = true;
    this.canvas.classList.add("drawing");
    this.hint.textContent = (this.hint.dataset["hint"] ?? "").replace("{number}", line.number);
    this.hint.hidden = false;
    this.hint.scrollIntoView({ block: "start" });
    this.show();
  }

  private press(event: PointerEvent): void {
    if (!this.current || event.button !== 0) return;
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.start = this.point(event);
  }

  private drag(event: PointerEvent): void {
    if (!this.current || !this.start) return;
    const end = this.point(event);
    const [left, right] = [Math.min(this.start[0], end[0]), Math.max(this.start[0], end[0])];
    const [top, bottom] = [Math.min(this.start[1], end[1]), Math.max(this.start[1], end[1])];
    this.current.place = [left, top, Math.max(1, right - left), Math.max(1, bottom - top)];
    this.show();
  }

  private release(event: PointerEvent): void {
    if (!this.current || !this.start) return;
    this.drag(event);
    this.end();
  }

  private cancel(): void {
    if (!this.current) return;
    this.current.place = this.former ?? [];
    this.end();
  }

  private end(): void {
    const line = this.current;
    this.current = this.start = null;
    this.canvas.classList.remove("drawing");
    this.hint.hidden = true;
    this.show();
    line?.focus();
  }

  /** Returns a place of the page's image in its pixels. */
  private point(event: PointerEvent): Point {
    const shown = this.canvas.getBoundingClientRect();
    const across = (event.clientX - shown.left) / shown.width;
    const down = (event.clientY - shown.top) / shown.height;
    return [pixel(across, this.size[0]), pixel(down, this.size[1])];
  }

  private show(): void {
    const boxes = this.lines.flatMap((line) => {
      const place = line.place;
      if (!place) return [];
      const box = document.createElementNS(SVG, "rect");
      SIDES.forEach((side, index) => box.setAttribute(side, `${place[index]}`));
      if (line === (this.current ?? this.chosen)) box.setAttribute("class", "current");
      return [box];
    });
    this.svg.replaceChildren(...boxes);
  }
}

function pixel(share: number, size: number): number {
  return Math.round(Math.min(Math.max(share, 0), 1) * (size - 1));
}

function field(item: HTMLElement, name: string): HTMLInputElement {
  return item.querySelector<HTMLInputElement>(`[name="${name}"]`)!;
}

const lines = [...document.querySelectorAll<HTMLElement>("li[data-line]")].map((item) => new Line(item));
const canvas = document.querySelector<HTMLElement>(".correction .canvas");
const hint = document.querySelector<HTMLElement>(".correction [data-hint]");
if (canvas && hint) new Sheet(canvas, hint, lines);
if (canvas && window.matchMedia(WIDE).matches) canvas.closest("details")!.open = true;
