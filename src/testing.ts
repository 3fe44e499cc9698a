/** `evenkeel/testing`: for tests of what is built on evenkeel. Time that moves only when a test says so. */

export { silentLogger } from "./ports/logger.ts";
export { noMetrics } from "./ports/metrics.ts";
export { VirtualClock } from "./testing/virtual-clock.ts";
