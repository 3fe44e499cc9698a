/** Colours that can be switched off: NO_COLOR and plain output give the same text without them. */
import picocolors from "picocolors";

export type Paint = Pick<
  ReturnType<typeof picocolors.createColors>,
  "red" | "green" | "yellow" | "cyan" | "dim" | "bold" | "blue" | "magenta" | "inverse"
>;

export const paint = (colour: boolean): Paint => picocolors.createColors(colour);

/** NO_COLOR (any value but empty) wins, then FORCE_COLOR, then: is it a terminal? */
export function wantsColour(
  stream: { readonly isTTY?: boolean | undefined },
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  if (environment.NO_COLOR) return false;
  if (environment.FORCE_COLOR && environment.FORCE_COLOR !== "0") return true;
  return stream.isTTY === true && environment.TERM !== "dumb";
}
