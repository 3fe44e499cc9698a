/**
 * A scenario file: prose, commands (`> advance 2s`) and their output (indented). It is parsed into a list of
 * parts and rendered again with the current output of the commands. The test compares the two texts.
 */
export type Part =
  | { readonly kind: "prose"; readonly text: string }
  | { readonly kind: "command"; readonly text: string; readonly line: number };

/** Drops the earlier output of commands: the new output is compared with it. */
export function parseTranscript(text: string): Part[] {
  const parts: Part[] = [];
  let paragraph: string[] = [];
  const endParagraph = () => {
    if (paragraph.length > 0) parts.push({ kind: "prose", text: paragraph.join("\n") });
    paragraph = [];
  };
  for (const [index, line] of text.split("\n").entries()) {
    const isProse = line.trim() !== "" && !line.startsWith(">") && !line.startsWith(" ");
    if (isProse) paragraph.push(line.trimEnd());
    else endParagraph();
    if (line.startsWith(">")) parts.push({ kind: "command", text: line.slice(1).trim(), line: index + 1 });
  }
  endParagraph();
  return parts;
}

/**
 * @param perform performs one command and returns its output; if empty, the next command follows on the next
 * line
 */
export async function renderTranscript(
  parts: readonly Part[],
  perform: (command: string) => Promise<readonly string[]>,
): Promise<string> {
  const lines: string[] = [];
  const separate = () => {
    if (lines.length > 0 && lines.at(-1) !== "") lines.push("");
  };
  for (const part of parts) {
    if (part.kind === "prose") {
      separate();
      lines.push(...part.text.split("\n"), "");
      continue;
    }
    let shown: readonly string[];
    try {
      shown = await perform(part.text);
    } catch (error) {
      throw new Error(`line ${part.line}, "${part.text}": ${error instanceof Error ? error.message : error}`);
    }
    if (lines.at(-1)?.startsWith("> expect") && !part.text.startsWith("expect")) separate();
    lines.push(`> ${part.text}`);
    if (shown.length === 0) continue;
    lines.push(...shown.map((line) => (line === "" ? "" : `    ${line}`)));
    lines.push("");
  }
  return `${lines.join("\n").trimEnd()}\n`;
}
