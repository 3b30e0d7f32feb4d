// The dialog that gives a link to what is shown, and its content state for other viewers; and what is dropped here.

import { contentState, encodeContentState, fragmentOf, linkValue, type Region } from "./content_state";

/** What is shown: the URLs of the manifest and the canvas, the page's number, and the visible part of the page. */
export interface Place {
  manifest: string;
  canvas: string;
  page: number;
  region: Region | null;
}

export class Share {
  private readonly dialog = document.querySelector<HTMLDialogElement>("#share");
  private readonly button = document.querySelector<HTMLButtonElement>('[data-do="share"]');

  /** `place` gives what is shown at the moment. */
  constructor(private readonly place: () => Place) {
    if (!this.dialog || !this.button) return;
    this.button.draggable = true;
    this.button.addEventListener("dragstart", (event) => {
      const { manifest, canvas, region } = this.place();
      event.dataTransfer?.setData("text/plain", contentState(manifest, canvas, region));
    });
    for (const copy of this.dialog.querySelectorAll<HTMLButtonElement>("button[data-copy]")) enableCopying(copy);
  }

  /** Opens the dialog with the addresses of what is shown. */
  open(): void {
    if (!this.dialog) return;
    const place = this.place();
    const state = contentState(place.manifest, place.canvas, place.region);
    const link = new URL(`?page=${place.page}${fragmentOf(place.region)}`, location.href);
    const viewers = new URL(this.dialog.dataset["read"] ?? "/read", location.href);
    viewers.searchParams.set("iiif-content", encodeContentState(state));
    this.fill("#share-link", link.href);
    this.fill("#share-state", viewers.href);
    this.fill("#share-json", state);
    this.dialog.showModal();
  }

  private fill(selector: string, value: string): void {
    const field = this.dialog?.querySelector<HTMLInputElement>(selector);
    if (field) field.value = value;
  }
}

/** Opens what is dropped on `target`: the server decides whether it is held here. */
export function acceptDrops(target: HTMLElement, read: string): void {
  target.addEventListener("dragover", (event) => {
    if (event.dataTransfer?.types.some((type) => type === "text/plain" || type === "text/uri-list")) event.preventDefault();
  });
  target.addEventListener("drop", (event) => {
    const data = event.dataTransfer;
    const value = linkValue(data?.getData("text/plain") || data?.getData("text/uri-list") || "");
    if (value === null) return;
    event.preventDefault();
    const address = new URL(read, location.href);
    address.searchParams.set("iiif-content", value);
    location.assign(address);
  });
}

/** Lets a button copy the text of its field, and say so. */
function enableCopying(button: HTMLButtonElement): void {
  const field = document.getElementById(button.dataset["copy"] ?? "");
  const label = button.textContent;
  button.addEventListener("click", async () => {
    if (!(field instanceof HTMLInputElement)) return;
    field.select();
    await navigator.clipboard?.writeText(field.value);
    button.textContent = button.dataset["done"] ?? label;
    window.setTimeout(() => (button.textContent = label), 2000);
  });
}
