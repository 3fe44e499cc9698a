/** docs/operations.md names messages by a part of them: each must still be in the sources. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { inProject } from "../../../lab/project.ts";

const folders = ["src", "services/consumer"].map((folder) => inProject(folder));
const sources = folders
  .flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" }).map((file) => join(folder, file)),
  )
  .filter((file) => file.endsWith(".ts"))
  .map((file) => readFileSync(file, "utf8"))
  .join("\n");
const [, table = ""] = readFileSync(inProject("docs/operations.md"), "utf8").split("## Messages of a worker");
const cells = [...table.matchAll(/^\| (`[^|]+`) \|/gm)].map(([, cell]) => cell!);
const messages = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, message]) => message!));

it("the page has messages", () => expect(messages.length).toBeGreaterThan(15));

it.each(messages)("a worker says: … %s …", (message) => {
  expect(sources).toContain(message);
});
