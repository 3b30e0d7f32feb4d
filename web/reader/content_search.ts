// The search within a work by IIIF Content Search 2.0: https://iiif.io/api/search/2.0/

import { regionOf, type Region } from "./content_state";

/** Characters of a line and their place on a canvas; `region` is null where it is not known. */
export interface Place {
  canvas: string;
  region: Region | null;
  text: string;
}

/** A place in the text, with what stands before and after it. It has several places where a line ends within it. */
export interface Hit {
  before: string;
  match: string;
  after: string;
  places: Place[];
}

export interface Hits {
  hits: Hit[];
  /** Whether the service has more than were fetched. */
  more: boolean;
}

interface Annotation {
  id: string;
  motivation: string;
  body?: { value?: string };
  target: unknown;
}

interface AnnotationPage {
  items: Annotation[];
  annotations?: { items: Annotation[] }[];
  next?: { id: string };
}

interface Quote {
  source: string;
  selector: { prefix?: string; exact?: string; suffix?: string }[];
}

interface TermPage {
  items: { value: string; total?: number }[];
}

/** What may be meant by what was typed, and how often it is in the text. */
export interface Term {
  value: string;
  total: number | null;
}

const MOST_REQUESTS = 4;

/** Returns completions of a text that the work has (section 5); none if the service cannot tell. */
export async function completionsOf(service: string, text: string, signal: AbortSignal): Promise<Term[]> {
  try {
    const response = await fetch(`${service}?${new URLSearchParams({ q: text })}`, { signal });
    if (!response.ok) return [];
    const page = (await response.json()) as TermPage;
    return page.items.map(({ value, total }) => ({ value, total: total ?? null }));
  } catch {
    return []; // the field works without completions
  }
}

/** Returns the places of a text in reading order, at most those of the first `MOST_REQUESTS` pages of the result. */
export async function searchWithin(service: string, text: string): Promise<Hits> {
  const hits: Hit[] = [];
  let next: string | undefined = `${service}?${new URLSearchParams({ q: text })}`;
  for (let request = 0; next !== undefined && request < MOST_REQUESTS; request++) {
    const response = await fetch(next);
    if (!response.ok) throw new Error(`${next}: ${response.status}`);
    const page = (await response.json()) as AnnotationPage;
    hits.push(...hitsOf(page));
    next = page.next?.id;
  }
  return { hits, more: next !== undefined };
}

/** Returns the hits of a page of the result: its annotations with context, or else each of its annotations. */
function hitsOf(page: AnnotationPage): Hit[] {
  const found = new Map(page.items.map((item) => [item.id, item]));
  const contexts = (page.annotations ?? []).flatMap((additional) => additional.items);
  const hits = contexts.flatMap((context) => hitOf(context, found));
  if (hits.length > 0) return hits;
  return page.items.map((item) => ({ before: "", match: item.body?.value ?? "", after: "", places: [placeOf(item)] }));
}

function hitOf(context: Annotation, found: Map<string, Annotation>): Hit[] {
  const quotes = (Array.isArray(context.target) ? context.target : [context.target]) as Quote[];
  const places = quotes.flatMap((quote) => {
    const item = found.get(quote.source);
    return item ? [placeOf(item)] : [];
  });
  if (places.length === 0) return [];
  const match = quotes.map((quote) => quote.selector[0]?.exact ?? "").join("");
  const [first, last] = [quotes[0]?.selector[0], quotes[quotes.length - 1]?.selector[0]];
  return [{ before: first?.prefix ?? "", match, after: last?.suffix ?? "", places }];
}

function placeOf(item: Annotation): Place {
  const target = typeof item.target === "string" ? item.target : String((item.target as { id?: string }).id ?? "");
  const [canvas = ""] = target.split("#");
  return { canvas, region: regionOf(target), text: item.body?.value ?? "" };
}
