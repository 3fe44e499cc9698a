/** A record as the handler gets it (after de-aggregation of KPL aggregates). */
export interface ConsumerRecord {
  readonly data: Uint8Array;
  readonly partitionKey: string;
  /** Only for user records of a KPL aggregate that have one. Decimal. */
  readonly explicitHashKey?: string;
  readonly sequenceNumber: string;
  /** Index within a KPL aggregate; 0 for a plain record. */
  readonly subSequenceNumber: number;
  readonly approximateArrivalTimestamp: Date;
}
