/**
 * One budget of buffered bytes for all shards of the process, so that memory does not grow with the shards held.
 *
 * Nobody ever waits in a queue here, so nothing can deadlock or starve:
 * - a shard with nothing buffered is always granted something, however much the others hold or however long their
 *   handlers hang: what is free of one half of the budget, or else of the other half, which is kept for this, its fair
 *   share (that half / shards; less while shards are being added). It asks Kinesis for fewer records then;
 * - a shard that reads ahead while a batch is in its handler's hands gets what is free of the first half, or is told
 *   "not now" and reads when its batch is done.
 * Hence the sum stays within the budget, but for records that turn out larger than those before them (then by at most
 * one GetRecords answer, 10 MiB, per shard that was mistaken) and for a single record larger than what was granted.
 */
export interface BudgetAccount {
  /** Bytes granted, at most `wantBytes`; 0: not now, because this shard has something buffered and nothing is free. */
  reserve(wantBytes: number): number;
  /** Replaces a grant by what the read brought. */
  settle(grantedBytes: number, actualBytes: number): void;
  release(bytes: number): void;
  readonly bufferedBytes: number;
  /** Gives everything back. Later calls change nothing. */
  close(): void;
}

export interface ByteBudget {
  open(): BudgetAccount;
  readonly usedBytes: number;
}

/** A read ahead that could bring less than this part of what it wants is not worth a GetRecords call. */
const WORTHWHILE_PART = 0.1;

/** `maxBytes`: of record data and partition keys, buffered or in handlers' hands, for the whole process. */
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
          // At most half of what is left, so that a shard that is added next finds something as well.
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
