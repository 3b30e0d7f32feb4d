// The action of each key. The side arrows follow the book: in a right-to-left book, left is the next page.

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
  | "find"
  | "next-hit"
  | "previous-hit"
  | "full-screen"
  | "text"
  | "share";

const DIRECTION_INDEPENDENT: Record<string, Action> = {
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
  "/": "find",
  n: "next-hit",
  N: "previous-hit",
  f: "full-screen",
  F: "full-screen",
  t: "text",
  T: "text",
};

/**
 * Returns the action of a key press, or null. With shift, and always on a scroll (`continuous`), the side arrows pan the
 * picture instead of turning the page.
 */
export function actionOf(event: KeyboardEvent, direction: Direction, continuous: boolean): Action | null {
  if (event.ctrlKey || event.altKey || event.metaKey) return null;
  const side = event.key === "ArrowLeft" ? "left" : event.key === "ArrowRight" ? "right" : null;
  if (side === null) return DIRECTION_INDEPENDENT[event.key] ?? null;
  if (event.shiftKey || continuous) return `pan-${side}`;
  return (side === "left") === (direction === "right-to-left") ? "next" : "previous";
}

/** Returns whether a key types a character, as opposed to a named key such as an arrow. */
export function isCharacter(event: KeyboardEvent): boolean {
  return event.key.length === 1;
}

/** Returns whether a key press goes to a form field. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target;
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}
