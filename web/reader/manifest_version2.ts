// Manifests of Presentation 2.1, which many partners have, as those of 3.0: https://iiif.io/api/presentation/2.1/
// Only what the reader uses is converted.

import type { LanguageMap, Resource, Service } from "./manifest";

/** A text of 2.1: a string, or an object with a language, or several of either. */
type Text = string | { "@value": string; "@language"?: string } | Text[];

interface Picture {
  "@id": string;
  "@type"?: string;
  label?: Text;
  width?: number;
  height?: number;
  service?: Service | Service[];
  /** The first picture of a choice, and the others. */
  default?: Picture;
  item?: Picture[];
}

interface Canvas {
  "@id": string;
  label?: Text;
  width: number;
  height: number;
  thumbnail?: string | { "@id": string };
  images?: { resource: Picture }[];
}

interface Range {
  "@id": string;
  label?: Text;
  canvases?: string[];
}

interface Sequence {
  viewingDirection?: string;
  viewingHint?: string;
  canvases?: Canvas[];
}

interface Manifest extends Sequence {
  "@id": string;
  "@type": string;
  sequences?: Sequence[];
  structures?: Range[];
}

/** Returns a manifest of 3.0: the document itself, or what one of 2.1 says. */
export function asVersion3(document: Resource | Manifest): Resource {
  if (!("@type" in document) || document["@type"] !== "sc:Manifest") return document as Resource;
  const sequence: Sequence = document.sequences?.[0] ?? {};
  const [direction, hint] = [sequence.viewingDirection ?? document.viewingDirection, sequence.viewingHint ?? document.viewingHint];
  return {
    id: document["@id"],
    type: "Manifest",
    ...(direction ? { viewingDirection: direction } : {}),
    ...(hint ? { behavior: [hint] } : {}),
    items: (sequence.canvases ?? []).map(canvasOf),
    structures: (document.structures ?? []).filter((range) => range.canvases?.length).map(rangeOf),
  };
}

function canvasOf(canvas: Canvas): Resource {
  const thumbnail = typeof canvas.thumbnail === "string" ? canvas.thumbnail : canvas.thumbnail?.["@id"];
  const picture = canvas.images?.[0]?.resource;
  const body = picture && { id: "", type: "Annotation", body: pictureOf(picture) };
  return {
    id: canvas["@id"],
    type: "Canvas",
    label: textOf(canvas.label),
    width: canvas.width,
    height: canvas.height,
    ...(thumbnail ? { thumbnail: [{ id: thumbnail, type: "Image" }] } : {}),
    items: body ? [{ id: "", type: "AnnotationPage", items: [body] }] : [],
  };
}

function pictureOf(picture: Picture): Resource {
  if (picture.default) {
    return { id: "", type: "Choice", items: [picture.default, ...(picture.item ?? [])].map(pictureOf) };
  }
  return {
    id: picture["@id"],
    type: "Image",
    label: textOf(picture.label),
    ...(picture.width && picture.height ? { width: picture.width, height: picture.height } : {}),
    ...(picture.service ? { service: [picture.service].flat() } : {}),
  };
}

function rangeOf(range: Range): Resource {
  const items = (range.canvases ?? []).map((id) => ({ id, type: "Canvas" }));
  return { id: range["@id"], type: "Range", label: textOf(range.label), items };
}

function textOf(text: Text | undefined): LanguageMap {
  const map: LanguageMap = {};
  for (const each of text === undefined ? [] : [text].flat() as Text[]) {
    const [language, value] = typeof each === "string" || Array.isArray(each) ? ["none", String(each)] : [each["@language"] ?? "none", each["@value"]];
    (map[language] ??= []).push(value);
  }
  return map;
}
