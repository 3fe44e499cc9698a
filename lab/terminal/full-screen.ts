/**
 * A full-screen view with keyboard input. Draws whole frames on the terminal's alternate screen, and restores
 * the main screen at the end.
 */
import { cut, type Screen } from "./live-region.ts";

export interface Keys {
  readonly isTTY?: boolean | undefined;
  setRawMode?(raw: boolean): unknown;
  on(event: "data", listener: (chunk: Buffer) => void): unknown;
  off(event: "data", listener: (chunk: Buffer) => void): unknown;
  pause(): unknown;
  resume(): unknown;
}

const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const CLEAR_BELOW = "\u001b[J";
const CLEAR_LINE_END = "\u001b[K";
const CTRL_C = "\u0003";

export class FullScreen {
  readonly #screen: Screen;
  readonly #keys: Keys;
  readonly #onData: (chunk: Buffer) => void;
  #last = "";

  /** `onKey` gets one character at a time. Ctrl-C is passed as "q". */
  constructor(screen: Screen, keys: Keys, onKey: (key: string) => void) {
    this.#screen = screen;
    this.#keys = keys;
    this.#onData = (chunk) => {
      for (const key of chunk.toString("utf8")) onKey(key === CTRL_C ? "q" : key);
    };
    screen.write(ENTER);
    if (keys.isTTY) {
      keys.setRawMode?.(true);
      keys.resume();
      keys.on("data", this.#onData);
    }
  }

  get width(): number {
    return this.#screen.columns ?? 80;
  }

  get height(): number {
    return this.#screen.rows ?? 24;
  }

  draw(lines: readonly string[]): void {
    const frame = lines.slice(0, this.height).map((line) => cut(line, this.width) + CLEAR_LINE_END);
    const text = `${HOME}${frame.join("\r\n")}${CLEAR_BELOW}`;
    if (text === this.#last) return;
    this.#screen.write(text);
    this.#last = text;
  }

  close(): void {
    if (this.#keys.isTTY) {
      this.#keys.off("data", this.#onData);
      this.#keys.setRawMode?.(false);
      this.#keys.pause();
    }
    this.#screen.write(LEAVE);
  }
}
