/** docs/operations.md names messages by a part of them: each must be one that the sources still say. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { inProject } from "../../../lab/project.ts";

const consumer = inProject("services/consumer");
const sources = readdirSync(consumer, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => readFileSync(join(consumer, file), "utf8"))
  .join("\n");
const [, table = ""] = readFileSync(inProject("docs/operations.md"), "utf8").split("## Messages of a worker");
const cells = [...table.matchAll(/^\| (`[^|]+`) \|/gm)].map(([, cell]) => cell!);
const messages = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, message]) => message!));

it("the page has messages", () => expect(messages.length).toBeGreaterThan(15));

it.each(messages)("a worker says: … %s …", (message) => {
  expect(sources).toContain(message);
});
