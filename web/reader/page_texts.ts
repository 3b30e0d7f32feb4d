// All texts of a page, as the library describes them in JSON.

import type { Region } from "./content_state";
import { textOf, type LanguageMap } from "./manifest";

/** A line of a page, or a column of vertical text; `isNote` marks small characters in double columns. */
export interface Line {
  text: string;
  region: Region | null;
  isNote: boolean;
}

/** One text of a page. `quality` is the estimated share of right characters, 0 to 1. */
export interface PageText {
  label: string;
  source: string;
  quality: number | null;
  language: string | null;
  lines: Line[];
}

interface Document {
  texts: {
    label: LanguageMap;
    source?: string;
    quality?: number;
    language?: string;
    lines: { text: string; region?: [number, number, number, number]; note?: boolean }[];
  }[];
}

/** The library did not give the texts; `status` is that of its response. */
export class TextError extends Error {
  constructor(readonly status: number) {
    super(`the texts of a page: ${status}`);
  }
}

const TALL = 1.5;

/** Fetches the texts of a page, the best first, with labels in `language`. Throws `TextError`. */
export async function fetchTexts(address: string, language: string): Promise<PageText[]> {
  const response = await fetch(address);
  if (!response.ok) throw new TextError(response.status);
  const { texts } = (await response.json()) as Document;
  return texts.map((text) => ({
    label: textOf(text.label, language),
    source: text.source ?? "",
    quality: text.quality ?? null,
    language: text.language ?? null,
    lines: text.lines.map(({ text: characters, region, note }) => ({
      text: characters,
      region: region ? { x: region[0], y: region[1], width: region[2], height: region[3] } : null,
      isNote: note ?? false,
    })),
  }));
}

/** Returns whether most of the lines whose places are known are columns. */
export function isVertical(text: PageText): boolean {
  const regions = text.lines.flatMap((line) => line.region ?? []);
  return 2 * regions.filter((region) => region.height > TALL * region.width).length > regions.length;
}
