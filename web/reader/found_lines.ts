// Finds the hits of a search in the lines of a text.

import type { Region } from "./content_state";
import type { FoundText } from "./finder";
import type { Line } from "./page_texts";

/** Characters of a line, from `start` to before `end`, that a hit has. */
export interface Span {
  start: number;
  end: number;
  current: boolean;
}

/**
 * Returns the spans of each line, in order and apart from each other. A hit with a place belongs to the line on which its
 * middle lies, and to the occurrence nearest to it; one without a place, to every occurrence. So hits are found in every
 * text of a page that has the same characters at their place.
 */
export function spansOf(lines: readonly Line[], found: readonly FoundText[]): Span[][] {
  return lines.map((line) => {
    const spans = found.flatMap((each) => spansOfHit(line, each));
    spans.sort((one, other) => one.start - other.start || Number(other.current) - Number(one.current));
    return spans.filter((span, index) => index === 0 || span.start >= spans[index - 1]!.end);
  });
}

function spansOfHit(line: Line, { text, region, current }: FoundText): Span[] {
  const starts = occurrences(line.text, text);
  if (starts.length === 0) return [];
  const spans = starts.map((start) => ({ start, end: start + text.length, current }));
  if (!region || !line.region) return spans;
  const middle = { x: region.x + region.width / 2, y: region.y + region.height / 2 };
  if (!contains(line.region, middle)) return [];
  const share = shareAlong(line.region, middle) * line.text.length;
  const distance = (span: Span): number => Math.abs((span.start + span.end) / 2 - share);
  return [spans.reduce((nearest, span) => (distance(span) < distance(nearest) ? span : nearest))];
}

function occurrences(text: string, sought: string): number[] {
  const starts: number[] = [];
  if (sought === "") return starts;
  for (let at = text.indexOf(sought); at >= 0; at = text.indexOf(sought, at + sought.length)) starts.push(at);
  return starts;
}

function contains(region: Region, point: { x: number; y: number }): boolean {
  const [across, along] = [point.x - region.x, point.y - region.y];
  return across >= 0 && along >= 0 && across <= region.width && along <= region.height;
}

/** Returns how far along a line a point is, 0 to 1: from above in a column, else from the left. */
function shareAlong(region: Region, point: { x: number; y: number }): number {
  return region.height > region.width ? (point.y - region.y) / region.height : (point.x - region.x) / region.width;
}
