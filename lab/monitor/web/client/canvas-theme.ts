/** The theme's colours as canvas fill styles, hatched like the legend's swatches. */
import { theme } from "./elements.ts";

type Paint = string | CanvasPattern;

export interface CanvasTheme {
  readonly worker: (colour: number) => string;
  readonly onWorker: string;
  readonly track: string;
  readonly soft: string;
  readonly line: string;
  readonly card: string;
  readonly gap: string;
  readonly bad: string;
  readonly unowned: Paint;
  readonly waiting: Paint;
  readonly draining: Paint;
}

const TILE = 6;
const COLOURS = 10;

export function hatches(context: CanvasRenderingContext2D): CanvasTheme {
  const colours = Array.from({ length: COLOURS + 1 }, (_, i) => theme(`--w${i}`));
  const [bad, soft, track, card] = [theme("--bad"), theme("--soft"), theme("--track"), theme("--card")];
  return {
    worker: (colour) => colours[colour] ?? colours[0] ?? soft,
    onWorker: theme("--on-worker"),
    track,
    soft,
    line: theme("--line"),
    card,
    gap: theme("--gap"),
    bad,
    unowned: diagonal(context, bad, 2, card) ?? bad,
    waiting: upright(context, soft) ?? soft,
    draining: diagonal(context, card, 1.5) ?? "transparent",
  };
}

function tile(draw: (context: CanvasRenderingContext2D) => void): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = TILE;
  canvas.height = TILE;
  draw(canvas.getContext("2d")!);
  return canvas;
}

function diagonal(context: CanvasRenderingContext2D, colour: string, width: number, ground?: string) {
  const image = tile((own) => {
    if (ground !== undefined) {
      own.fillStyle = ground;
      own.fillRect(0, 0, TILE, TILE);
    }
    own.strokeStyle = colour;
    own.lineWidth = width;
    own.beginPath();
    for (const shift of [-TILE, 0, TILE]) {
      own.moveTo(shift, TILE);
      own.lineTo(shift + TILE, 0);
    }
    own.stroke();
  });
  return context.createPattern(image, "repeat");
}

function upright(context: CanvasRenderingContext2D, colour: string) {
  const image = tile((own) => {
    own.globalAlpha = 0.55;
    own.fillStyle = colour;
    own.fillRect(0, 0, 2, TILE);
  });
  return context.createPattern(image, "repeat");
}
