/** Public interface: a producer for the command line. */
export type { ProducerLog, ProducerProgress } from "./run-producer.ts";
export { type StartProducerOptions, startProducer } from "./start-producer.ts";
