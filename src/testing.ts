/**
 * `evenkeel/testing`: for tests of programs built on evenkeel. Its clock moves only when a test advances it.
 */

export type { Clock } from "./ports/clock.ts";
export { silentLogger } from "./ports/logger.ts";
export { type MetricDimensions, type Metrics, type MetricUnit, noMetrics } from "./ports/metrics.ts";
export { VirtualClock } from "./testing/virtual-clock.ts";
