import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { invoke } from "./invoke.ts";
import { makeWorld } from "./memory-stream.ts";

describe("any event at all", () => {
  const keys = ["action", "input", "targetShards", "targetTasks", "force", "plan", "previous", "direction"];
  const odd = fc.letrec((tie) => ({
    value: fc.oneof(
      fc.constantFrom(null, -1, 0, 30, 1.5, 1e300, "", "plan", "reshard", "checkOwned", "split", true),
      fc.string(),
      fc.array(tie("value"), { maxLength: 2 }),
      fc.dictionary(fc.oneof(fc.constantFrom(...keys), fc.string()), tie("value"), { maxKeys: 4 }),
    ),
  })).value;

  test("is answered, or refused as InvalidInput in one short line", async () => {
    await fc.assert(
      fc.asyncProperty(odd, async (event) => {
        const world = makeWorld(2);
        try {
          expect(await invoke(world, event as never)).toBeTypeOf("object");
        } catch (error) {
          expect(error).toMatchObject({ name: "InvalidInput" });
          expect((error as Error).message).toMatch(/^.{1,250}$/);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
