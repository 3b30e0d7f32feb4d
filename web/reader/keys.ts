// What each key does. Turning follows the book: in a right-to-left book the left arrow goes on.

import type { Direction } from "./manifest";

export type Action =
  | "next"
  | "previous"
  | "first"
  | "last"
  | "pan-up"
  | "pan-down"
  | "pan-left"
  | "pan-right"
  | "zoom-in"
  | "zoom-out"
  | "fit"
  | "rotate"
  | "full-screen";

const SAME_IN_EVERY_BOOK: Record<string, Action> = {
  PageDown: "next",
  PageUp: "previous",
  Home: "first",
  End: "last",
  ArrowUp: "pan-up",
  ArrowDown: "pan-down",
  "+": "zoom-in",
  "=": "zoom-in",
  "-": "zoom-out",
  _: "zoom-out",
  "0": "fit",
  r: "rotate",
  R: "rotate",
  f: "full-screen",
  F: "full-screen",
};

/**
 * The action of a key press, or null. With shift the side arrows move over the picture, as they always do on a scroll
 * (`continuous`), where going on is moving along.
 */
export function actionOf(event: KeyboardEvent, direction: Direction, continuous: boolean): Action | null {
  if (event.ctrlKey || event.altKey || event.metaKey) return null;
  const side = event.key === "ArrowLeft" ? "left" : event.key === "ArrowRight" ? "right" : null;
  if (side === null) return SAME_IN_EVERY_BOOK[event.key] ?? null;
  if (event.shiftKey || continuous) return `pan-${side}`;
  return (side === "left") === (direction === "right-to-left") ? "next" : "previous";
}

/** Whether a key press belongs to a field the reader is typing in. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target;
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}
