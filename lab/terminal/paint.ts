/** Colours that can be turned off. With NO_COLOR or plain output, the text is the same without colours. */
import picocolors from "picocolors";

export type Paint = Pick<
  ReturnType<typeof picocolors.createColors>,
  "red" | "green" | "yellow" | "cyan" | "dim" | "bold" | "blue" | "magenta" | "inverse"
>;

export const paint = (colour: boolean): Paint => picocolors.createColors(colour);

/** NO_COLOR (any non-empty value) wins, then FORCE_COLOR, then whether the stream is a terminal. */
export function wantsColour(
  stream: { readonly isTTY?: boolean | undefined },
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  if (environment.NO_COLOR) return false;
  if (environment.FORCE_COLOR && environment.FORCE_COLOR !== "0") return true;
  return stream.isTTY === true && environment.TERM !== "dumb";
}
