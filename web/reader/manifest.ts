// The parts of a IIIF Presentation 3.0 manifest that the reader uses: https://iiif.io/api/presentation/3.0/
// It relies on the specification alone, and so reads any manifest with one painted image on each canvas.

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
  /** Counted from 1 over the whole work: the number in the page's URL. */
  number: number;
  label: string;
  /** Labels of the volume and ranges that contain the page, outermost first. */
  ranges: string[];
  /** URL of the picture's image service; null for a missing leaf. */
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

/** Returns the text of a language map in `language`, else the text without language, else the first one. */
export function textOf(map: LanguageMap | undefined, language: string): string {
  if (!map) return "";
  const primary = language.split("-")[0];
  const key =
    Object.keys(map).find((tag) => tag === language) ??
    Object.keys(map).find((tag) => tag.split("-")[0] === primary) ??
    (map["none"] ? "none" : Object.keys(map)[0]);
  return key ? (map[key] ?? []).join(" ") : "";
}

/** Returns the picture painted on a canvas; the first of a choice. */
function painting(canvas: Resource): Resource | null {
  const body = canvas.items?.[0]?.items?.[0]?.body;
  if (!body) return null;
  return body.type === "Choice" ? (body.items?.[0] ?? null) : body;
}

function serviceOf(picture: Resource | null): string | null {
  const service = picture?.service?.[0];
  return service?.id ?? service?.["@id"] ?? null;
}

/** Returns the labels of the ranges that contain each canvas, outermost first, by the canvas's identifier. */
function rangesByCanvas(structures: Resource[], language: string): Map<string, string[]> {
  const labels = new Map<string, string[]>();
  const walk = (range: Resource, above: string[]): void => {
    const path = [...above, textOf(range.label, language)];
    for (const member of range.items ?? []) {
      if (member.type === "Range") walk(member, path);
      else {
        const canvas = member.id.split("#")[0] ?? member.id;
        labels.set(canvas, [...(labels.get(canvas) ?? []), ...path]);
      }
    }
  };
  for (const range of structures) walk(range, []);
  return labels;
}

/** Returns the book that a manifest describes. Throws for other documents, and for a manifest without canvases. */
export function readManifest(manifest: Resource, language: string): Book {
  const canvases = manifest.items ?? [];
  if (manifest.type !== "Manifest" || canvases.length === 0) throw new Error("not a manifest with canvases");
  const ranges = rangesByCanvas(manifest.structures ?? [], language);
  const pages = canvases.map((canvas, index): Page => {
    const picture = painting(canvas);
    const service = serviceOf(picture);
    const behavior = canvas.behavior ?? manifest.behavior ?? [];
    return {
      number: index + 1,
      label: textOf(canvas.label, language) || String(index + 1),
      ranges: [...new Set((ranges.get(canvas.id) ?? []).filter((label) => label !== ""))],
      service,
      thumbnail: canvas.thumbnail?.[0]?.id ?? (service && `${service}/full/${THUMBNAIL_SIZE}/0/default.jpg`),
      width: picture?.width ?? canvas.width ?? 1,
      height: picture?.height ?? canvas.height ?? 1,
      continuous: behavior.includes("continuous"),
    };
  });
  return { direction: (manifest.viewingDirection as Direction | undefined) ?? "left-to-right", pages };
}

/** Fetches and reads the manifest at `url`. */
export async function fetchBook(url: string, language: string): Promise<Book> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return readManifest((await response.json()) as Resource, language);
}
