/** The targets of the documents' references exist: files, headings, and every command in README's table. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { buildProgram } from "../../../lab/cli/program.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const markdownIn = (folder: string) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name));
const documents = [...["", "docs", "docs/adr", "local", "test/scenarios"].flatMap(markdownIn)];

/** As GitHub forms them: lower case, without punctuation, hyphens for spaces. */
const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );

function brokenLinks(document: string): string[] {
  const text = readFileSync(join(root, document), "utf8").replaceAll(/```[\s\S]*?```/g, "");
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
  return links
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? join(root, document) : join(root, dirname(document), path);
      if (!existsSync(target)) return true;
      return anchor !== undefined && !anchorsOf(readFileSync(target, "utf8")).includes(anchor);
    });
}

describe("the documents", () => {
  it.each(documents)("%s has no broken link", (document) => {
    expect(brokenLinks(document)).toEqual([]);
  });

  it("README's table has every command", () => {
    const readme = readFileSync(join(root, "README.md"), "utf8");
    const section = readme.split("\n## ").find((part) => part.startsWith("Commands")) ?? "";
    const named = [...section.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell = ""]) =>
      [...cell.matchAll(/`([a-z-]+)/g)].map(([, name = ""]) => name),
    );
    // Listing the commands writes and reads nothing, so no more of a context is needed.
    const context = { stdout: process.stdout, stderr: process.stderr } as unknown;
    const program = buildProgram(context as Parameters<typeof buildProgram>[0]);
    const commands = program.commands.map((command) => command.name());
    expect(named.sort()).toEqual(commands.sort());
  });
});
