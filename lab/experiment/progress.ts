/** The experiment's progress: a live block on a terminal, otherwise a line per phase. */
import type { Clock } from "../../src/ports/clock.ts";
import { distribution } from "../fleet/state.ts";
import { LiveRegion, type Screen } from "../terminal/live-region.ts";
import { duration } from "../terminal/table.ts";
import type { Sample } from "./sampler.ts";
import { type PhaseLine, renderExperiment } from "./view.ts";

export interface Progress {
  start(name: string, text: string): void;
  end(name: string, ok: boolean, text: string): void;
  sample(sample: Sample): void;
  close(): void;
}

export type Step = <T>(name: string, text: string, work: () => Promise<T>) => Promise<T>;

/** Reports the start of a step, and its success or failure. */
export const stepper =
  (progress: Progress): Step =>
  async (name, text, work) => {
    progress.start(name, text);
    try {
      const result = await work();
      progress.end(name, true, text);
      return result;
    } catch (error) {
      progress.end(name, false, text);
      throw error;
    }
  };

const REDRAW_MILLIS = 200;
const STOPPING = "stopping, and putting everything away … (Ctrl-C again: leave it as it is)";

/** Once `signal` aborts, "stopping" is shown during the cleanup. */
export function liveProgress(
  screen: Screen,
  clock: Clock,
  signal: AbortSignal,
  planned: readonly string[],
  colour: boolean,
): Progress {
  const region = new LiveRegion(screen);
  const startedAt = new Map<string, number>();
  const phaseLines = new Map<string, PhaseLine>(
    planned.map((name) => [name, { name, state: "waiting", text: "", millis: undefined }]),
  );
  let sample: Sample | undefined;
  const draw = () => {
    const now = clock.monotonicMillis();
    const phases = [...phaseLines.values()].map((line) =>
      line.state === "running" ? { ...line, millis: now - (startedAt.get(line.name) ?? now) } : line,
    );
    const lines = renderExperiment(
      { phases, fleet: sample?.fleet, flow: sample?.flow },
      region.width,
      colour,
    );
    region.draw(signal.aborted ? [...lines, "", STOPPING] : lines);
  };
  const closing = new AbortController();
  const redraw = async () => {
    while (!closing.signal.aborted) {
      draw();
      await clock.sleep(REDRAW_MILLIS, closing.signal);
    }
  };
  void redraw();
  return {
    start(name, text) {
      startedAt.set(name, clock.monotonicMillis());
      phaseLines.set(name, { name, state: "running", text, millis: 0 });
      draw();
    },
    end(name, ok, text) {
      const millis = clock.monotonicMillis() - (startedAt.get(name) ?? clock.monotonicMillis());
      phaseLines.set(name, { name, state: ok ? "ok" : "failed", text, millis });
      draw();
    },
    sample(seen) {
      sample = seen;
    },
    close() {
      if (closing.signal.aborted) return;
      draw();
      closing.abort();
      region.close({ erase: false });
    },
  };
}

export function plainProgress(write: (line: string) => void, clock: Clock): Progress {
  const began = clock.monotonicMillis();
  const startedAt = new Map<string, number>();
  let shown = "";
  const at = () => duration(clock.monotonicMillis() - began).padStart(8);
  return {
    start(name, text) {
      startedAt.set(name, clock.monotonicMillis());
      write(`${at()}  ${name}: ${text}`);
    },
    end(name, ok, text) {
      const millis = clock.monotonicMillis() - (startedAt.get(name) ?? began);
      write(`${at()}  ${name}: ${ok ? "ok" : "FAILED"} in ${duration(millis)}: ${text}`);
    },
    sample({ fleet }) {
      const now = distribution(fleet);
      if (now !== "" && now !== shown) write(`${at()}    leases ${now}`);
      shown = now;
    },
    close: () => undefined,
  };
}
