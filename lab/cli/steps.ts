/** Steps of a few seconds each, shown as they go: one live line on a terminal, a line per step elsewhere. */
import { liveProgress, type Progress, plainProgress } from "../experiment/progress.ts";
import { wantsColour } from "../terminal/paint.ts";
import type { Context } from "./context.ts";

export interface Steps {
  readonly step: <T>(name: string, text: string, work: () => Promise<T>) => Promise<T>;
  close(): void;
}

export function showSteps(context: Context): Steps {
  const { stderr, clock } = context;
  const progress = stderr.isTTY
    ? liveProgress(stderr, clock, context.signal, [], wantsColour(stderr, process.env))
    : plainProgress(context.note, clock);
  return { step: stepper(progress), close: () => progress.close() };
}

const stepper =
  (progress: Progress): Steps["step"] =>
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
