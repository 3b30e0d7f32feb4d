// Content states: references to a work, a page or a part of one, which any IIIF viewer opens.
// https://iiif.io/api/content-state/1.0/

/** A rectangle in pixels of a canvas. */
export interface Region {
  x: number;
  y: number;
  width: number;
  height: number;
}

const XYWH = /(?:^#|[#&])xywh=(?:pixel:)?(\d{1,9}),(\d{1,9}),(\d{1,9}),(\d{1,9})$/;

/** Returns the region of a media fragment, as it ends a URL; null without one. */
export function regionOf(fragment: string): Region | null {
  const found = XYWH.exec(fragment);
  if (!found) return null;
  const [x, y, width, height] = found.slice(1).map(Number) as [number, number, number, number];
  return width > 0 && height > 0 ? { x, y, width, height } : null;
}

/** Returns the media fragment of a region, with its "#"; '' for the whole page. */
export function fragmentOf(region: Region | null): string {
  return region ? `#xywh=${[region.x, region.y, region.width, region.height].map(Math.round).join(",")}` : "";
}

/** Returns the target of a content state: a canvas, or a part of it, within its manifest (section 2.2.3). */
export function contentState(manifest: string, canvas: string, region: Region | null): string {
  return JSON.stringify({
    id: canvas + fragmentOf(region),
    type: "Canvas",
    partOf: [{ id: manifest, type: "Manifest" }],
  });
}

/** Returns the encoding of a JSON document for a link (section 6.3.1). */
export function encodeContentState(text: string): string {
  return btoa(encodeURIComponent(text)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/**
 * Returns the value of `iiif-content` for what was dropped or pasted: a JSON document encoded, a URI as it is (section
 * 6.2). Null for anything else. Mirador and others drag a link to a page with the manifest in its query.
 */
export function linkValue(text: string): string | null {
  const trimmed = text.trim().split(/[\r\n]/)[0] ?? "";
  if (text.trim().startsWith("{")) return encodeContentState(text.trim());
  if (!/^https?:\/\//.test(trimmed)) return null;
  try {
    return new URL(trimmed).searchParams.get("manifest") ?? trimmed;
  } catch {
    return null;
  }
}
