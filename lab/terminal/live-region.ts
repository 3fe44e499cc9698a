/**
 * A block of lines at the bottom of the terminal that is redrawn in place. It owns the cursor between `draw`
 * and `close`. Permanent lines go through `print`. Never used if the output is not a terminal.
 */
import { shorten } from "./table.ts";

export interface Screen {
  write(text: string): unknown;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
const ESCAPE = "\u001b[";

export class LiveRegion {
  #drawn = 0;
  #last = "";
  readonly #screen: Screen;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  get width(): number {
    return Math.max(20, (this.#screen.columns ?? 80) - 1);
  }

  /** Redraws in place, if anything changed. Lines that do not fit are cut, never wrapped. */
  draw(lines: readonly string[]): void {
    const room = Math.max(1, (this.#screen.rows ?? 24) - 1);
    const fitting = lines.slice(0, room);
    const text = fitting.map((line) => `${cut(line, this.width)}${ESCAPE}K\n`).join("");
    if (text === this.#last) return;
    this.#screen.write(`${this.#drawn === 0 ? HIDE_CURSOR : ""}${this.#home()}${text}${ESCAPE}J`);
    this.#drawn = fitting.length;
    this.#last = text;
  }

  /** Prints a line that stays above the region. */
  print(line: string): void {
    this.#screen.write(`${this.#home()}${ESCAPE}J${line}\n`);
    this.#drawn = 0;
    this.#last = "";
  }

  /** Keeps or erases the drawn lines, and restores the cursor. */
  close(options: { readonly erase: boolean }): void {
    this.#screen.write(`${options.erase ? `${this.#home()}${ESCAPE}J` : ""}${SHOW_CURSOR}`);
    this.#drawn = 0;
    this.#last = "";
  }

  #home(): string {
    return this.#drawn === 0 ? "" : `${ESCAPE}${this.#drawn}A\r`;
  }
}

/** Cuts to `width` visible characters. Colour sequences have no width. */
export function cut(line: string, width: number): string {
  const escapeCharacter = String.fromCharCode(27);
  if (!line.includes(escapeCharacter)) return shorten(line, width);
  const parts = line.split(new RegExp(`(${escapeCharacter}\\[[0-9;]*m)`));
  let left = width;
  let out = "";
  for (const part of parts) {
    if (part.startsWith(escapeCharacter)) out += part;
    else if (left > 0) {
      out += shorten(part, left);
      left -= part.length;
    }
  }
  return out;
}
