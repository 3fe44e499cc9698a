import { describe, expect, it } from "vitest";
import { cut, LiveRegion } from "../../../lab/terminal/live-region.ts";
import { logLine } from "../../../lab/terminal/log-line.ts";
import { paint, wantsColour } from "../../../lab/terminal/paint.ts";
import { duration, renderTable } from "../../../lab/terminal/table.ts";

describe("tables", () => {
  it("are as wide as their cells, numbers to the right", () => {
    expect(
      renderTable(
        [{ title: "name" }, { title: "n", align: "right" }],
        [
          ["a", "1"],
          ["long", "100"],
        ],
      ),
    ).toEqual(["name    n", "a       1", "long  100"]);
  });

  it("shorten the widest column when they do not fit", () => {
    const lines = renderTable([{ title: "name" }, { title: "n" }], [["x".repeat(100), "1"]], 40);
    expect(Math.max(...lines.map((line) => line.length))).toBe(40);
    expect(lines[1]).toMatch(/x… {2}1$/);
  });
});

it.each([
  [480, "480 ms"],
  [12_340, "12.3 s"],
  [99_960, "100.0 s"],
  [125_000, "2 min 5 s"],
])("%d ms is %s", (millis, text) => expect(duration(millis)).toBe(text));

describe("cutting", () => {
  const red = paint(true).red;
  it("counts what is seen, not colours", () => {
    expect(cut(red("abc"), 3)).toBe(red("abc"));
    expect(cut(`${red("abc")}def`, 5)).toBe(`${red("abc")}d…`);
  });
});

describe("colour", () => {
  it.each([
    [{ NO_COLOR: "1", FORCE_COLOR: "1" }, true, false],
    [{ NO_COLOR: "" }, true, true],
    [{ FORCE_COLOR: "1" }, false, true],
    [{}, false, false],
    [{ TERM: "dumb" }, true, false],
  ])("with %j, terminal %s: %s", (environment, isTTY, expected) => {
    expect(wantsColour({ isTTY }, environment)).toBe(expected);
  });
});

describe("the live block", () => {
  it("redraws in place, cuts what is too wide or too high, and says nothing twice", () => {
    const written: string[] = [];
    const region = new LiveRegion({ write: (text) => written.push(text), columns: 21, rows: 3 });
    region.draw(["a".repeat(50), "two", "three"]);
    region.draw(["a".repeat(50), "two", "three"]);
    expect(written).toHaveLength(1);
    expect(written[0]).toContain(`${"a".repeat(19)}…`);
    expect(written[0]).not.toContain("three");
    region.draw(["one"]);
    expect(written[1]).toContain("\u001b[2A\r");
  });
});

describe("log lines", () => {
  const plain = paint(false);
  const time = () => "12:00:00";
  it("are shown for people", () => {
    const line = JSON.stringify({
      level: 30,
      time: "2026-01-01T00:00:00Z",
      shardId: "s1",
      reason: "unowned",
      msg: "lease claimed",
    });
    expect(logLine(line, plain, time)).toBe("12:00:00  lease claimed  shardId=s1 reason=unowned");
  });
  it("name their level and error when it matters", () => {
    const line = JSON.stringify({ level: 50, time: 1, err: { message: "no room" }, msg: "stopped" });
    expect(logLine(line, plain, time)).toBe("12:00:00  error  stopped  no room");
  });
  it.each(["plain text", "{half", ""])("%j stays as it is", (text) =>
    expect(logLine(text, plain, time)).toBe(text),
  );
});
