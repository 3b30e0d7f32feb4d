// A IIIF Presentation 3.0 manifest as the reader needs it: https://iiif.io/api/presentation/3.0/
// Only what the specification defines is relied on, so any manifest of one painted image a canvas will do.

type LanguageMap = Record<string, string[]>;

interface Resource {
  id: string;
  type: string;
  label?: LanguageMap;
  width?: number;
  height?: number;
  behavior?: string[];
  viewingDirection?: string;
  thumbnail?: Resource[];
  service?: { id?: string; "@id"?: string }[];
  items?: Resource[];
  structures?: Resource[];
  body?: Resource;
}

export type Direction = "right-to-left" | "left-to-right" | "top-to-bottom" | "bottom-to-top";

export interface Page {
  /** From 1 over the whole work: the number in the page's address. */
  number: number;
  label: string;
  /** Labels of the volume and ranges that hold the page, outermost first. */
  places: string[];
  /** The image service of the picture; null for a missing leaf. */
  service: string | null;
  thumbnail: string | null;
  width: number;
  height: number;
  continuous: boolean;
}

export interface Book {
  direction: Direction;
  pages: Page[];
}

const THUMBNAIL_SIZE = "!300,300";

/** The words of a language map in `language`, else without language, else in whatever comes first. */
export function words(map: LanguageMap | undefined, language: string): string {
  if (!map) return "";
  const primary = language.split("-")[0];
  const key =
    Object.keys(map).find((tag) => tag === language) ??
    Object.keys(map).find((tag) => tag.split("-")[0] === primary) ??
    (map["none"] ? "none" : Object.keys(map)[0]);
  return key ? (map[key] ?? []).join(" ") : "";
}

/** The picture painted on a canvas; of a choice, the first. */
function painting(canvas: Resource): Resource | null {
  const body = canvas.items?.[0]?.items?.[0]?.body;
  if (!body) return null;
  return body.type === "Choice" ? (body.items?.[0] ?? null) : body;
}

function serviceOf(picture: Resource | null): string | null {
  const service = picture?.service?.[0];
  return service?.id ?? service?.["@id"] ?? null;
}

/** Canvas identifier -> labels of the ranges that hold it, outermost first. */
function placesOf(structures: Resource[], language: string): Map<string, string[]> {
  const places = new Map<string, string[]>();
  const walk = (range: Resource, above: string[]): void => {
    const path = [...above, words(range.label, language)];
    for (const member of range.items ?? []) {
      if (member.type === "Range") walk(member, path);
      else {
        const canvas = member.id.split("#")[0] ?? member.id;
        places.set(canvas, [...(places.get(canvas) ?? []), ...path]);
      }
    }
  };
  for (const range of structures) walk(range, []);
  return places;
}

/** The book a manifest describes. Throws when it is none, or has no canvases. */
export function readManifest(manifest: Resource, language: string): Book {
  const canvases = manifest.items ?? [];
  if (manifest.type !== "Manifest" || canvases.length === 0) throw new Error("not a manifest with canvases");
  const places = placesOf(manifest.structures ?? [], language);
  const pages = canvases.map((canvas, index): Page => {
    const picture = painting(canvas);
    const service = serviceOf(picture);
    const behavior = canvas.behavior ?? manifest.behavior ?? [];
    return {
      number: index + 1,
      label: words(canvas.label, language) || String(index + 1),
      places: [...new Set((places.get(canvas.id) ?? []).filter((place) => place !== ""))],
      service,
      thumbnail: canvas.thumbnail?.[0]?.id ?? (service && `${service}/full/${THUMBNAIL_SIZE}/0/default.jpg`),
      width: picture?.width ?? canvas.width ?? 1,
      height: picture?.height ?? canvas.height ?? 1,
      continuous: behavior.includes("continuous"),
    };
  });
  return { direction: (manifest.viewingDirection as Direction | undefined) ?? "left-to-right", pages };
}

/** Fetches and reads the manifest at `address`. */
export async function fetchBook(address: string, language: string): Promise<Book> {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  return readManifest((await answer.json()) as Resource, language);
}
