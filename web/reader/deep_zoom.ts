// The picture: the only user of OpenSeadragon.

import OpenSeadragon from "openseadragon";
import type { Direction, Page } from "./manifest";

/** A service that answered with an HTTP error; `status` tells a refused picture from a lost one. */
export class PictureFault extends Error {
  constructor(readonly status: number) {
    super(`the image service answered ${status}`);
  }
}

type ImageInformation = Record<string, unknown>;

const ZOOM_STEP = 1.5;
const PAN_STEP = 0.2;
const ALONG_STEP = 0.8;
const FITTED = 1.02;
const SWIPE_SHARE = 0.12;
const SWIPE_SPEED = 700;
const KEPT_INFORMATION = 24;

export class DeepZoom {
  private readonly viewer: OpenSeadragon.Viewer;
  private readonly information = new Map<string, Promise<ImageInformation>>();
  private page: Page | null = null;
  private dragStart: OpenSeadragon.Point | null = null;
  private fitted = true;

  /** `onTurn` is told of a swipe over a picture that fits: the way the finger went. */
  constructor(
    element: HTMLElement,
    private readonly direction: Direction,
    private readonly calm: boolean,
    onTurn: (way: "left" | "right") => void,
    private readonly onDrawn: () => void,
  ) {
    keepOutInlineStyle();
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
      animationTime: calm ? 0 : 0.6,
      blendTime: calm ? 0 : 0.1,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true, flickEnabled: false },
      gestureSettingsTouch: { flickEnabled: !calm },
    });
    this.watchSwipes(onTurn);
    this.keepFitted();
    this.viewer.addHandler("tile-drawn", () => this.onDrawn());
  }

  /** Shows a page from its beginning. Rejects with `PictureFault` when its service refuses. */
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

  /** Has the browser fetch what the page will need first, at the size it will be shown. */
  async preload(page: Page): Promise<void> {
    if (page.service === null) return;
    const information = await this.informationOf(page.service);
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
    this.fitted = false;
    this.viewer.viewport.zoomBy(inward ? ZOOM_STEP : 1 / ZOOM_STEP, undefined, this.calm);
    this.viewer.viewport.applyConstraints(this.calm);
  }

  /** Moves the view by a part of itself. */
  pan(way: "up" | "down" | "left" | "right"): void {
    this.fitted = false;
    const view = this.viewer.viewport.getBounds(true);
    const share = this.page?.continuous ? ALONG_STEP : PAN_STEP;
    const across = { left: -1, right: 1, up: 0, down: 0 }[way] * view.width * share;
    const along = { left: 0, right: 0, up: -1, down: 1 }[way] * view.height * PAN_STEP;
    this.viewer.viewport.panBy(new OpenSeadragon.Point(across, along), this.calm);
    this.viewer.viewport.applyConstraints(this.calm);
  }

  rotate(): void {
    this.viewer.viewport.rotateBy(90, undefined, this.calm);
  }

  /** The whole page; of a scroll, as much as fits with its full height (or width), from where reading begins. */
  fit(immediately = this.calm): void {
    const viewport = this.viewer.viewport;
    this.fitted = true;
    viewport.setRotation(0, true);
    viewport.goHome(immediately);
    if (this.page?.continuous) viewport.fitBounds(this.beginningOfScroll(), immediately);
  }

  /** A page that is shown whole stays whole when its room changes, as it does when the row of pages comes in below. */
  private keepFitted(): void {
    for (const gesture of ["canvas-drag", "canvas-scroll", "canvas-pinch", "canvas-double-click"] as const) {
      this.viewer.addHandler(gesture, () => {
        this.fitted = false;
      });
    }
    this.viewer.addHandler("after-resize", () => {
      // OpenSeadragon goes on to zoom by the change of the diagonal.
      queueMicrotask(() => {
        if (this.fitted && this.page) this.fit(true);
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

  /** Puts the picture in the place of whatever is shown; pages turned fast may arrive late, and then leave again. */
  private async open(information: ImageInformation, page: Page): Promise<void> {
    const world = this.viewer.world;
    const shown = await new Promise<OpenSeadragon.TiledImage>((resolve, reject) => {
      this.viewer.addTiledImage({
        tileSource: information,
        success: (event) => resolve((event as unknown as { item: OpenSeadragon.TiledImage }).item),
        error: () => reject(new PictureFault(0)),
      });
    });
    const late = this.page !== page;
    for (const item of itemsOf(world)) {
      if ((item === shown) === late) world.removeItem(item);
    }
  }

  private informationOf(service: string): Promise<ImageInformation> {
    const known = this.information.get(service);
    if (known) return known;
    const asked = fetchInformation(service);
    this.information.set(service, asked);
    asked.catch(() => this.information.delete(service));
    const oldest = this.information.keys().next().value;
    if (this.information.size > KEPT_INFORMATION && oldest !== undefined) this.information.delete(oldest);
    return asked;
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
    return viewport.getZoom(true) <= viewport.getHomeZoom() * FITTED && !this.page?.continuous;
  }

  private watchSwipes(onTurn: (way: "left" | "right") => void): void {
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
      if (far && Math.abs(moved.x) > 2 * Math.abs(moved.y)) onTurn(moved.x > 0 ? "right" : "left");
    });
  }
}

/**
 * OpenSeadragon adds a style element of its own unless it finds one; our content security policy forbids inline style.
 * What it finds is an element of that name outside HTML, which styles nothing; site.css says what is needed.
 */
function keepOutInlineStyle(): void {
  const stand = document.createElementNS(null, "style");
  stand.setAttribute("data-openseadragon-mobile-css", "true");
  document.head.append(stand);
}

function itemsOf(world: OpenSeadragon.World): OpenSeadragon.TiledImage[] {
  return Array.from({ length: world.getItemCount() }, (_, index) => world.getItemAt(index));
}

async function fetchInformation(service: string): Promise<ImageInformation> {
  const answer = await fetch(`${service}/info.json`);
  if (!answer.ok) throw new PictureFault(answer.status);
  return (await answer.json()) as ImageInformation;
}

function prefetch(address: string | (() => string)): void {
  const picture = new Image();
  picture.crossOrigin = "anonymous";
  picture.src = typeof address === "string" ? address : address();
}
