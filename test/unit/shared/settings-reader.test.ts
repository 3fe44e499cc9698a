import { describe, expect, it } from "vitest";
import { SettingsError, settingsReader } from "../../../services/contract/settings-reader.ts";

describe("settings of the environment", () => {
  const { optional, required, number, oneOf } = settingsReader({
    NAME: " stream ",
    BLANK: "  ",
    COUNT: "12",
    HALF: "0.5",
    WORD: "many",
  });

  it("are trimmed, and blank ones are not set", () => {
    expect([optional("NAME"), optional("BLANK"), optional("MISSING")]).toEqual([
      "stream",
      undefined,
      undefined,
    ]);
    expect(required("NAME", "a name")).toBe("stream");
    expect(number("BLANK", { fallback: 3, least: 1 })).toBe(3);
    expect(oneOf("BLANK", ["none", "log"], "none")).toBe("none");
  });

  it("are numbers within their bounds", () => {
    expect(number("COUNT", { fallback: 1, least: 12, most: 12 })).toBe(12);
    expect(number("HALF", { fallback: 1, least: 0, most: 5, kind: "any" })).toBe(0.5);
  });

  it.each([
    [() => required("BLANK", "a name"), "BLANK is not set; expected a name"],
    [() => number("WORD", { fallback: 1, least: 1 }), 'WORD is "many"; expected a whole number from 1'],
    [() => number("HALF", { fallback: 1, least: 0 }), 'HALF is "0.5"; expected a whole number from 0'],
    [
      () => number("COUNT", { fallback: 1, least: 1, most: 9 }),
      'COUNT is "12"; expected a whole number from 1 to 9',
    ],
    [() => oneOf("WORD", ["none", "log"], "none"), 'WORD is "many"; expected none or log'],
    [() => oneOf("WORD", ["a", "b", "c"], "a"), 'WORD is "many"; expected one of a, b, c'],
  ])("that are wrong end in one line (%#)", (read, message) => {
    expect(read).toThrow(new SettingsError(message));
  });
});
