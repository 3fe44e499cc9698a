/**
 * Performs every scenario file in this folder, and compares the output with the file.
 * `npx vitest run test/scenarios -u` writes the output into the files; `expect` lines must hold even then.
 */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Script } from "./commands.ts";
import { parseTranscript, renderTranscript } from "./transcript.ts";

const FOLDER = new URL(".", import.meta.url);
const files = readdirSync(FOLDER).filter((name) => name.endsWith(".txt"));

const performed = async (text: string) => {
  const script = new Script();
  const shown = await renderTranscript(parseTranscript(text), (command) => script.perform(command));
  return { script, shown };
};

describe("scenarios", () => {
  it.each(files)("%s", async (name) => {
    const { script, shown } = await performed(readFileSync(new URL(name, FOLDER), "utf8"));
    expect(script.scene.complaints()).toEqual([]);
    await expect(shown).toMatchFileSnapshot(`./${name}`);
  });
});

describe("the runner", () => {
  const script = ["> stream 4 shards", "> start a b", "> advance 2s", "> expect 2/2"];

  it("shows the same thing every time", async () => {
    const [once, again] = [await performed(script.join("\n")), await performed(script.join("\n"))];
    expect(again.shown).toBe(once.shown);
    expect(once.shown).toContain("4 moves");
  });

  it("keeps prose and commands, and replaces what was shown", async () => {
    const { shown } = await performed(`Why.\n${script.join("\n")}`);
    const stale = shown.replace("at 2.0 s", "at 9.9 s").replace("4 moves", "5 moves");
    expect(stale).not.toBe(shown);
    expect((await performed(stale)).shown).toBe(shown);
    expect(shown.startsWith("Why.\n\n> stream 4 shards\n> start a b\n")).toBe(true);
  });

  it.each([
    ["expect 4/0", "found 2/2"],
    ["expect no moves", "found 4 moves"],
    ["expect 1 unowned", "found 0 unowned"],
    ["expect rain", "README"],
    ["stream 5 shards", "settings come before"],
    ["split 9", "shard 9 is not open"],
    ["merge 0+2", "2 is not the shard next to 0"],
    ["stop z", "no worker z"],
    ["dance", "no command dance"],
  ])("names the line of a command that is wrong or does not hold: %s", async (command, problem) => {
    const text = [...script, `> ${command}`].join("\n");
    await expect(performed(text)).rejects.toThrow(
      new RegExp(`line 5, "${command.replace("+", "\\+")}": .*${problem}`),
    );
  });

  it("finds records that were handled twice, and records that nobody handled", async () => {
    const crash = [
      "> stream 2 shards",
      "> failover 4s",
      "> start a b",
      "> advance 7.5s",
      "> crash b",
      "> advance 10s",
    ];
    await expect(performed([...crash, "> expect no record twice"].join("\n"))).rejects.toThrow(
      "records twice",
    );
    const alone = [
      "> stream 2 shards",
      "> cap 1",
      "> start a",
      "> advance 9s",
      "> expect every record handled",
    ];
    await expect(performed(alone.join("\n"))).rejects.toThrow("records not handled");
  });
});
