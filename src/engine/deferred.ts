/** A promise that is resolved from outside, with `open`. */
export interface Deferred {
  readonly promise: Promise<void>;
  readonly open: () => void;
  readonly isOpen: boolean;
}

export function deferred(): Deferred {
  let resolve: () => void = () => undefined;
  let isOpen = false;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  const open = () => {
    isOpen = true;
    resolve();
  };
  return {
    promise,
    open,
    get isOpen() {
      return isOpen;
    },
  };
}
