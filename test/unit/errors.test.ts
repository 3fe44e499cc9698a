/** The errors of the library: one base class, stable codes, recognised without their classes. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as evenkeel from "../../src/index.ts";

const record = { sequenceNumber: "5" };
const thrown = [
  new evenkeel.OptionError("streamName is wrong"),
  new evenkeel.CheckpointRefusedError("checkpoint refused"),
  new evenkeel.DuplicateWorkerIdError("pod-1"),
  new evenkeel.StreamReplacedError("orders of Monday", "orders of Tuesday"),
  new evenkeel.StoppedError(),
  new evenkeel.PoisonRecordError(record),
  new evenkeel.StoreUnusableError("no right", { errorClass: "denied" }),
  new evenkeel.StoreUnavailableError("no answer"),
  new evenkeel.StreamError("not-found", "no such stream"),
];

describe("an error of the library", () => {
  it("is one of those tried here", () => {
    const isError = (value: unknown): value is typeof Error =>
      typeof value === "function" && value.prototype instanceof Error;
    const classes = Object.values(evenkeel).filter(isError);
    const tried = new Set<unknown>([evenkeel.EvenkeelError, ...thrown.map((error) => error.constructor)]);
    expect(classes.filter((one) => !tried.has(one))).toEqual([]);
    expect(classes.length).toBe(tried.size);
  });

  it.each(thrown)("is an EvenkeelError with a code, its class's name, and its message: %s", (error) => {
    expect(error).toBeInstanceOf(evenkeel.EvenkeelError);
    expect(error.code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    expect(error.name).toBe(error.constructor.name);
    expect(error.stack).toContain(error.message);
  });

  it("has its name in the source: a bundler may rename the class", () => {
    for (const error of thrown) expect(Object.hasOwn(error, "name")).toBe(true);
    class Renamed extends evenkeel.StoppedError {}
    expect(new Renamed().name).toBe("StoppedError");
  });

  it("has the code of its class of trouble, and keeps its cause", () => {
    const cause = new Error("AccessDeniedException");
    const error = new evenkeel.StoreUnusableError("no right", { cause, errorClass: "denied" });
    expect(error).toMatchObject({ code: "DENIED", errorClass: "denied", cause });
    expect(new evenkeel.StoreUnavailableError("no answer").code).toBe("UNAVAILABLE");
    expect(new evenkeel.StreamError("expired-iterator", "expired").code).toBe("EXPIRED_ITERATOR");
  });

  it("is in the documentation's table, by class and code", () => {
    const page = readFileSync(new URL("../../docs/own-service.md", import.meta.url), "utf8");
    const [, section = ""] = page.split("\n## Errors\n");
    // What may pass by itself is waited out, and thrown at nobody.
    const met = thrown.filter(({ name }) => name !== "StoreUnavailableError");
    for (const { name, code } of met)
      expect(section.split("\n").find((line) => line.includes(`\`${name}\``))).toContain(`\`${code}\``);
  });
});
