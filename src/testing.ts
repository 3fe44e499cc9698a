/**
 * `evenkeel/testing`: for tests of programs built on evenkeel. Its clock moves only when a test advances it.
 */

export { silentLogger } from "./ports/logger.ts";
export { noMetrics } from "./ports/metrics.ts";
export { VirtualClock } from "./testing/virtual-clock.ts";
