/** Steps of a few seconds each, shown as they go: one live line on a terminal, a line per step elsewhere. */
import { liveProgress, plainProgress, type Step, stepper } from "../experiment/progress.ts";
import { wantsColour } from "../terminal/paint.ts";
import type { Context } from "./context.ts";

export interface Steps {
  readonly step: Step;
  close(): void;
}

export function showSteps(context: Context): Steps {
  const { stderr, clock } = context;
  const progress = stderr.isTTY
    ? liveProgress(stderr, clock, context.signal, [], wantsColour(stderr, process.env))
    : plainProgress(context.note, clock);
  return { step: stepper(progress), close: () => progress.close() };
}
