// The parts of a IIIF Presentation 3.0 manifest that the reader uses: https://iiif.io/api/presentation/3.0/ , or those of
// version 2.1 that say the same.
// It relies on the specification alone, and so reads any manifest with one painted image, or a choice of images, on each
// canvas.

import { asVersion3 } from "./manifest_version2";

export type LanguageMap = Record<string, string[]>;

export interface Service {
  id?: string;
  "@id"?: string;
  type?: string;
  /** A level of compliance, or its URI; in version 2 also a list that begins with it. */
  profile?: string | unknown[];
  service?: Service[];
}

export interface Resource {
  id: string;
  type: string;
  label?: LanguageMap;
  width?: number;
  height?: number;
  behavior?: string[];
  viewingDirection?: string;
  thumbnail?: Resource[];
  service?: Service[];
  items?: Resource[];
  structures?: Resource[];
  body?: Resource;
}

export type Direction = "right-to-left" | "left-to-right" | "top-to-bottom" | "bottom-to-top";

/** One photograph of a page. */
export interface Photograph {
  label: string;
  service: string;
  width: number;
  height: number;
}

/** An order in which the pages are read: their numbers. */
export interface Order {
  label: string;
  pages: number[];
}

export interface Page {
  /** Counted from 1 over the whole work: the number in the page's URL. */
  number: number;
  /** URL of the canvas, and its size, in which regions are given. */
  canvas: string;
  canvasWidth: number;
  canvasHeight: number;
  label: string;
  /** Labels of the volume and ranges that contain the page, outermost first. */
  ranges: string[];
  /** The photographs of the page, the first shown by default; none of a missing leaf. */
  photographs: Photograph[];
  /** URL of the image service of the picture shown; null for a missing leaf. */
  service: string | null;
  thumbnail: string | null;
  width: number;
  height: number;
  continuous: boolean;
}

export interface Book {
  /** URL of the manifest, as it names itself. */
  manifest: string;
  /** The service that searches within the work (Content Search 2.0); null without one. */
  search: string | null;
  /** The service that completes what is typed for the search; null without one. */
  completion: string | null;
  direction: Direction;
  pages: Page[];
  /** Orders of reading other than that of the canvases: of leaves bound wrongly, for example. */
  orders: Order[];
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

/** Returns the pictures painted on a canvas: one, or those of a choice. */
function paintings(canvas: Resource): Resource[] {
  const body = canvas.items?.[0]?.items?.[0]?.body;
  if (!body) return [];
  return body.type === "Choice" ? (body.items ?? []) : [body];
}

function serviceOf(picture: Resource): string | null {
  const service = picture.service?.[0];
  return service?.id ?? service?.["@id"] ?? null;
}

/** Returns the URL of a small picture: of a service of level 0, which makes no sizes, the picture itself. */
function thumbnailOf(picture: Resource, service: string): string {
  const profile = [picture.service?.[0]?.profile].flat()[0];
  const isStatic = typeof profile === "string" && /level0(\.json)?$/.test(profile);
  return isStatic ? picture.id : `${service}/full/${THUMBNAIL_SIZE}/0/default.jpg`;
}

/** Returns the photographs of a canvas that have an image service. */
function photographsOf(pictures: Resource[], canvas: Resource, language: string): Photograph[] {
  return pictures.flatMap((picture, index) => {
    const service = serviceOf(picture);
    if (service === null) return [];
    const label = textOf(picture.label, language) || String(index + 1);
    const [width, height] = [picture.width ?? canvas.width ?? 1, picture.height ?? canvas.height ?? 1];
    return [{ label, service, width, height }];
  });
}

/** Returns the orders of reading that the ranges with the behavior "sequence" give. */
function ordersOf(structures: Resource[], canvases: Resource[], language: string): Order[] {
  const numbers = new Map(canvases.map((canvas, index) => [canvas.id, index + 1]));
  return structures
    .filter((range) => isSequence(range))
    .map((range) => ({ label: textOf(range.label, language), pages: canvasesOf(range).flatMap((id) => numbers.get(id) ?? []) }))
    .filter((order) => order.pages.length > 0);
}

function isSequence(range: Resource): boolean {
  return (range.behavior ?? []).includes("sequence");
}

function canvasesOf(range: Resource): string[] {
  return (range.items ?? []).flatMap((member) =>
    member.type === "Range" ? canvasesOf(member) : [member.id.split("#")[0] ?? member.id],
  );
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
  for (const range of structures) if (!isSequence(range)) walk(range, []);
  return labels;
}

/** Returns the book that a manifest describes. Throws for other documents, and for a manifest without canvases. */
export function readManifest(manifest: Resource, language: string): Book {
  const canvases = manifest.items ?? [];
  if (manifest.type !== "Manifest" || canvases.length === 0) throw new Error("not a manifest with canvases");
  const ranges = rangesByCanvas(manifest.structures ?? [], language);
  const pages = canvases.map((canvas, index): Page => {
    const pictures = paintings(canvas);
    const photographs = photographsOf(pictures, canvas, language);
    const service = photographs[0]?.service ?? null;
    const behavior = canvas.behavior ?? manifest.behavior ?? [];
    return {
      number: index + 1,
      canvas: canvas.id,
      canvasWidth: canvas.width ?? 1,
      canvasHeight: canvas.height ?? 1,
      label: textOf(canvas.label, language) || String(index + 1),
      ranges: [...new Set((ranges.get(canvas.id) ?? []).filter((label) => label !== ""))],
      photographs,
      service,
      thumbnail: canvas.thumbnail?.[0]?.id ?? (service && thumbnailOf(pictures[0]!, service)),
      width: photographs[0]?.width ?? canvas.width ?? 1,
      height: photographs[0]?.height ?? canvas.height ?? 1,
      continuous: behavior.includes("continuous"),
    };
  });
  const direction = (manifest.viewingDirection as Direction | undefined) ?? "left-to-right";
  const search = manifest.service?.find((service) => service.type === "SearchService2");
  const completion = search?.service?.find((service) => service.type === "AutoCompleteService2");
  const orders = ordersOf(manifest.structures ?? [], canvases, language);
  return { manifest: manifest.id, search: search?.id ?? null, completion: completion?.id ?? null, direction, pages, orders };
}

/** Fetches and reads the manifest at `url`. */
export async function fetchBook(url: string, language: string): Promise<Book> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return readManifest(asVersion3((await response.json()) as Resource), language);
}
