/** Shows steps of a few seconds each as they run: one live line on a terminal, otherwise a line per step. */
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
