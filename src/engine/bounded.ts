/** Limits bulk work: heartbeats share the client's sockets and must not queue behind it. */
const MAX_CALLS_IN_FLIGHT = 16;

/**
 * Calls `act` for every item, at most `MAX_CALLS_IN_FLIGHT` at a time.
 * @returns the results, in order; rejects with the first failure once the calls in flight have ended
 */
export async function forEachBounded<T, R>(
  items: readonly T[],
  act: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  const lane = async () => {
    while (next < items.length && failure === undefined) {
      const index = next++;
      try {
        results[index] = await act(items[index] as T);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(MAX_CALLS_IN_FLIGHT, items.length) }, lane));
  if (failure !== undefined) throw failure.error;
  return results;
}
