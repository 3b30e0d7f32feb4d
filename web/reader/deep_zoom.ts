// The deep zoom view of one page; the only module that uses OpenSeadragon.

import OpenSeadragon from "openseadragon";
import type { Region } from "./content_state";
import type { Mark } from "./finder";
import type { Direction, Page } from "./manifest";

/** The image service answered with an HTTP error; `status` is 0 when OpenSeadragon does not report one. */
export class ImageServiceError extends Error {
  constructor(readonly status: number) {
    super(`the image service answered with status ${status}`);
  }
}

type ImageInformation = Record<string, unknown>;

const ZOOM_STEP = 1.5;
const PAN_STEP = 0.2;
const SCROLL_PAN_STEP = 0.8;
const FITTED_TOLERANCE = 1.02;
const SWIPE_SHARE = 0.12;
const SWIPE_SPEED = 700;
const CACHED_DOCUMENTS = 24;

export class DeepZoom {
  private readonly viewer: OpenSeadragon.Viewer;
  private readonly information = new Map<string, Promise<ImageInformation>>();
  private page: Page | null = null;
  private dragStart: OpenSeadragon.Point | null = null;
  private fitted = true;
  /** The part of the page that fills the view; null after the reader has moved. */
  private region: Region | null = null;

  /** `onSwipe` is called after a swipe over a page that is shown whole, `onDrawn` after each tile drawn. */
  constructor(
    element: HTMLElement,
    private readonly direction: Direction,
    private readonly reducedMotion: boolean,
    onSwipe: (direction: "left" | "right") => void,
    private readonly onDrawn: () => void,
  ) {
    preventInlineStyle();
    this.viewer = OpenSeadragon({
      element,
      showNavigationControl: false,
      keyboardNavEnabled: false,
      drawer: "canvas",
      crossOriginPolicy: "Anonymous",
      visibilityRatio: 1,
      constrainDuringPan: true,
      minZoomImageRatio: 1,
      maxZoomPixelRatio: 2,
      zoomPerClick: 1,
      imageLoaderLimit: 6,
      animationTime: reducedMotion ? 0 : 0.6,
      blendTime: reducedMotion ? 0 : 0.1,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true, flickEnabled: false },
      gestureSettingsTouch: { flickEnabled: !reducedMotion },
    });
    this.watchSwipes(onSwipe);
    this.keepFitted();
    this.viewer.addHandler("tile-drawn", () => this.onDrawn());
  }

  /** The element that has the keyboard focus when the picture has it. */
  get canvas(): HTMLElement {
    return this.viewer.canvas as HTMLElement;
  }

  /** Names the picture for screen readers. */
  name(picture: string): void {
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", picture);
  }

  /** Shows a page, a scroll from its beginning. Rejects with `ImageServiceError` when its service reports an error. */
  async show(page: Page): Promise<void> {
    this.page = page;
    if (page.service === null) {
      this.viewer.world.removeAll();
      return;
    }
    const information = await this.informationOf(page.service);
    if (this.page !== page) return;
    await this.open(information, page);
    if (this.page === page) this.fit(true);
  }

  /**
   * Fetches into the browser's cache the tiles that a page will need first, at the size it will have. A service without
   * tiles has nothing to fetch before; one that fails says so when the page is shown.
   */
  async preload(page: Page): Promise<void> {
    if (page.service === null) return;
    const information = await this.informationOf(page.service).catch(() => null);
    if (information === null || !information["tiles"]) return;
    const source = this.viewer.world.getItemAt(0)?.source;
    if (!source) return;
    const next = new OpenSeadragon.IIIFTileSource(information as unknown as OpenSeadragon.TileSourceOptions);
    const level = this.fittingLevel(next);
    const tiles = next.getNumTiles(level);
    for (let row = 0; row < tiles.y; row++) {
      for (let column = 0; column < tiles.x; column++) prefetch(next.getTileUrl(level, column, row));
    }
  }

  zoom(inward: boolean): void {
    this.moved();
    this.viewer.viewport.zoomBy(inward ? ZOOM_STEP : 1 / ZOOM_STEP, undefined, this.reducedMotion);
    this.viewer.viewport.applyConstraints(this.reducedMotion);
  }

  /** Pans by a share of the visible part. */
  pan(direction: "up" | "down" | "left" | "right"): void {
    this.moved();
    const view = this.viewer.viewport.getBounds(true);
    const share = this.page?.continuous ? SCROLL_PAN_STEP : PAN_STEP;
    const across = { left: -1, right: 1, up: 0, down: 0 }[direction] * view.width * share;
    const along = { left: 0, right: 0, up: -1, down: 1 }[direction] * view.height * PAN_STEP;
    this.viewer.viewport.panBy(new OpenSeadragon.Point(across, along), this.reducedMotion);
    this.viewer.viewport.applyConstraints(this.reducedMotion);
  }

  rotate(): void {
    this.viewer.viewport.rotateBy(90, undefined, this.reducedMotion);
  }

  /** Fits the whole page; of a scroll, its beginning at full height (or width). */
  fit(immediately = this.reducedMotion): void {
    const viewport = this.viewer.viewport;
    this.region = null;
    this.fitted = true;
    viewport.setRotation(0, true);
    viewport.goHome(immediately);
    if (this.page?.continuous) viewport.fitBounds(this.beginningOfScroll(), immediately);
  }

  /** Fills the view with a part of the page that is shown. */
  showRegion(region: Region, immediately = this.reducedMotion): void {
    const shown = this.boundsOf(region);
    if (!shown) return;
    this.moved();
    this.region = region;
    this.viewer.viewport.fitBoundsWithConstraints(shown, immediately);
  }

  /** Marks parts of the page that is shown, in place of those marked before; moves to the first current one if it is outside. */
  mark(marks: readonly Mark[]): void {
    this.viewer.clearOverlays();
    for (const { region, current, isLine } of marks) {
      const location = this.boundsOf(region);
      if (!location) return;
      const element = document.createElement("div");
      element.className = isLine ? "line-mark" : current ? "hit current" : "hit";
      this.viewer.addOverlay({ element, location });
    }
    const region = marks.find((mark) => mark.current)?.region;
    const chosen = region && this.boundsOf(region);
    if (!chosen) return;
    const view = this.viewer.viewport.getBounds();
    if (view.containsPoint(chosen.getTopLeft()) && view.containsPoint(chosen.getBottomRight())) return;
    this.moved();
    this.viewer.viewport.panTo(chosen.getCenter(), this.reducedMotion);
    this.viewer.viewport.applyConstraints(this.reducedMotion);
  }

  /** Returns a part of the page that is shown, which is in pixels of its canvas, as OpenSeadragon counts. */
  private boundsOf(region: Region): OpenSeadragon.Rect | null {
    const item = this.viewer.world.getItemAt(0);
    if (!item || !this.page) return null;
    const whole = item.getBounds(true);
    const [across, along] = [whole.width / this.page.canvasWidth, whole.height / this.page.canvasHeight];
    return new OpenSeadragon.Rect(
      whole.x + region.x * across,
      whole.y + region.y * along,
      region.width * across,
      region.height * along,
    );
  }

  /** The part of the page that is visible, in pixels of its canvas; null while the page is shown whole. */
  get visibleRegion(): Region | null {
    const item = this.viewer.world.getItemAt(0);
    if (!item || !this.page || this.isFitted()) return null;
    const [whole, view] = [item.getBounds(true), this.viewer.viewport.getBounds(true)];
    const [across, along] = [this.page.canvasWidth / whole.width, this.page.canvasHeight / whole.height];
    const [left, top] = [Math.max(view.x, whole.x), Math.max(view.y, whole.y)];
    const right = Math.min(view.x + view.width, whole.x + whole.width);
    const bottom = Math.min(view.y + view.height, whole.y + whole.height);
    if (right <= left || bottom <= top) return null;
    return {
      x: (left - whole.x) * across,
      y: (top - whole.y) * along,
      width: (right - left) * across,
      height: (bottom - top) * along,
    };
  }

  /** The reader has moved the picture or zoomed: what is shown is no more the whole page, nor a part that was asked for. */
  private moved(): void {
    this.fitted = false;
    this.region = null;
  }

  /** Fits the page, or the part of it, again when its element is resized, as by the strip, unless the reader has moved. */
  private keepFitted(): void {
    for (const gesture of ["canvas-drag", "canvas-scroll", "canvas-pinch", "canvas-double-click"] as const) {
      this.viewer.addHandler(gesture, () => {
        this.moved();
      });
    }
    this.viewer.addHandler("after-resize", () => {
      // After this event OpenSeadragon itself zooms by the change of the diagonal: fit after that.
      queueMicrotask(() => {
        if (this.fitted && this.page) this.fit(true);
        else if (this.region) this.showRegion(this.region, true);
      });
    });
  }

  private beginningOfScroll(): OpenSeadragon.Rect {
    const whole = this.viewer.world.getHomeBounds();
    const shape = this.viewer.viewport.getAspectRatio();
    if (whole.width / whole.height > shape) {
      const width = whole.height * shape;
      const left = this.direction === "right-to-left" ? whole.x + whole.width - width : whole.x;
      return new OpenSeadragon.Rect(left, whole.y, width, whole.height);
    }
    return new OpenSeadragon.Rect(whole.x, whole.y, whole.width, whole.width / shape);
  }

  /** Replaces the picture shown. A picture that arrives after the page was turned again is removed. */
  private async open(information: ImageInformation, page: Page): Promise<void> {
    const world = this.viewer.world;
    const shown = await new Promise<OpenSeadragon.TiledImage>((resolve, reject) => {
      this.viewer.addTiledImage({
        tileSource: tileSourceOf(information),
        success: (event) => resolve((event as unknown as { item: OpenSeadragon.TiledImage }).item),
        error: () => reject(new ImageServiceError(0)),
      });
    });
    const late = this.page !== page;
    for (const item of itemsOf(world)) {
      if ((item === shown) === late) world.removeItem(item);
    }
  }

  private informationOf(service: string): Promise<ImageInformation> {
    const cached = this.information.get(service);
    if (cached) return cached;
    const pending = fetchInformation(service);
    this.information.set(service, pending);
    pending.catch(() => this.information.delete(service));
    const oldest = this.information.keys().next().value;
    if (this.information.size > CACHED_DOCUMENTS && oldest !== undefined) this.information.delete(oldest);
    return pending;
  }

  private fittingLevel(source: OpenSeadragon.TileSource): number {
    const size = this.viewer.viewport.getContainerSize();
    const scale = Math.min(size.x / source.dimensions.x, size.y / source.dimensions.y) * window.devicePixelRatio;
    let level = source.minLevel;
    while (level < source.maxLevel && source.getLevelScale(level) < scale) level++;
    return level;
  }

  private isFitted(): boolean {
    const viewport = this.viewer.viewport;
    return viewport.getZoom(true) <= viewport.getHomeZoom() * FITTED_TOLERANCE && !this.page?.continuous;
  }

  private watchSwipes(onSwipe: (direction: "left" | "right") => void): void {
    this.viewer.addHandler("canvas-press", (event) => {
      this.dragStart = this.isFitted() ? event.position : null;
    });
    this.viewer.addHandler("canvas-pinch", () => {
      this.dragStart = null;
    });
    this.viewer.addHandler("canvas-drag-end", (event) => {
      const start = this.dragStart;
      this.dragStart = null;
      if (!start || !this.isFitted()) return;
      const moved = event.position.minus(start);
      const far = Math.abs(moved.x) > this.viewer.container.clientWidth * SWIPE_SHARE || event.speed > SWIPE_SPEED;
      if (far && Math.abs(moved.x) > 2 * Math.abs(moved.y)) onSwipe(moved.x > 0 ? "right" : "left");
    });
  }
}

/**
 * Keeps OpenSeadragon from adding a style element, which the content security policy forbids. It adds none when it finds
 * one: the placeholder is a "style" element without namespace, which has no effect. site.css has the rules.
 */
function preventInlineStyle(): void {
  const placeholder = document.createElementNS(null, "style");
  placeholder.setAttribute("data-openseadragon-mobile-css", "true");
  document.head.append(placeholder);
}

/** Returns what OpenSeadragon opens: whole pictures where access allows none of the tiles, else the tiles. */
function tileSourceOf(information: ImageInformation): object {
  const levels = wholePictures(information);
  return levels.length > 0 ? { type: "legacy-image-pyramid", levels } : information;
}

/**
 * Returns the whole pictures of a service that has a size limit and no tiles; none of any other service. OpenSeadragon
 * would request tiles of the full size, which the service refuses.
 */
function wholePictures(information: ImageInformation): { url: string; width: number; height: number }[] {
  if (information["tiles"] || !information["maxWidth"]) return [];
  const service = String(information["id"] ?? information["@id"]);
  const sizes = (information["sizes"] ?? []) as { width: number; height: number }[];
  return sizes.map(({ width, height }) => ({ url: `${service}/full/${width},${height}/0/default.jpg`, width, height }));
}

function itemsOf(world: OpenSeadragon.World): OpenSeadragon.TiledImage[] {
  return Array.from({ length: world.getItemCount() }, (_, index) => world.getItemAt(index));
}

async function fetchInformation(service: string): Promise<ImageInformation> {
  const response = await fetch(`${service}/info.json`);
  if (!response.ok) throw new ImageServiceError(response.status);
  return (await response.json()) as ImageInformation;
}

function prefetch(url: string | (() => string)): void {
  const picture = new Image();
  picture.crossOrigin = "anonymous";
  picture.src = typeof url === "string" ? url : url();
}
