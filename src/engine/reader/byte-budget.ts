/**
 * One budget of buffered bytes for all shards of the process, so that memory does not grow with the number of
 * shards.
 *
 * No shard ever waits in a queue here, so nothing can deadlock or starve:
 * - A shard with nothing buffered is always granted something, however much the others hold or however long
 *   their handlers hang. It gets what is free of the first half of the budget. If its fair share of the
 *   second half is larger, it gets that instead (that half / shards; less while shards are being added); the
 *   second half is reserved for this. With a small grant it asks Kinesis for fewer records.
 * - A shard that reads ahead while a batch is in its handler gets what is free of the first half. If that is
 *   nothing, it reads when its batch is done.
 *
 * So the sum stays within the budget, with two exceptions: records that are larger than the earlier ones (by
 * at most one GetRecords response, 10 MiB, per such shard), and a single record larger than the grant.
 */
export interface BudgetAccount {
  /**
   * Bytes granted, at most `wantBytes`. 0: not now, because this shard has something buffered and too little
   * is free.
   */
  reserve(wantBytes: number): number;
  /** Replaces a grant with the bytes that the read returned. */
  settle(grantedBytes: number, actualBytes: number): void;
  release(bytes: number): void;
  readonly bufferedBytes: number;
  /** Returns everything. Later calls change nothing. */
  close(): void;
}

export interface ByteBudget {
  open(): BudgetAccount;
  readonly usedBytes: number;
}

/** A read ahead that could return less than this part of what it wants is not worth a GetRecords call. */
const WORTHWHILE_PART = 0.1;

/** @param maxBytes record data and partition keys, buffered or in handlers, for the whole process */
export function createByteBudget(maxBytes: number): ByteBudget {
  const poolBytes = maxBytes / 2;
  let usedBytes = 0;
  let accounts = 0;

  const open = (): BudgetAccount => {
    let buffered = 0;
    let closed = false;
    accounts += 1;
    const add = (bytes: number) => {
      if (closed) return;
      buffered += bytes;
      usedBytes += bytes;
    };
    return {
      reserve(wantBytes) {
        const free = Math.max(0, Math.floor(poolBytes - usedBytes));
        let granted = Math.min(wantBytes, free);
        if (buffered === 0) {
          // At most half of what is left, so that a shard added next gets something too.
          const kept = Math.min(poolBytes / accounts, (maxBytes - usedBytes) / 2);
          granted = Math.min(wantBytes, Math.max(free, Math.floor(kept), 1));
        } else if (granted < wantBytes * WORTHWHILE_PART) {
          granted = 0;
        }
        add(granted);
        return granted;
      },
      settle: (grantedBytes, actualBytes) => add(actualBytes - grantedBytes),
      release: (bytes) => add(-bytes),
      get bufferedBytes() {
        return buffered;
      },
      close() {
        if (closed) return;
        add(-buffered);
        closed = true;
        accounts -= 1;
      },
    };
  };
  return {
    open,
    get usedBytes() {
      return usedBytes;
    },
  };
}
