/** Makes Node refuse MD5, as OpenSSL does in FIPS mode. */
import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";

export async function withoutMd5<T>(run: () => T | Promise<T>): Promise<T> {
  const { createHash } = crypto;
  const refusing: typeof createHash = (algorithm, options) => {
    if (algorithm === "md5") throw new Error("error:0308010C:digital envelope routines::unsupported");
    return createHash(algorithm, options);
  };
  const use = (implementation: typeof createHash) => {
    crypto.createHash = implementation;
    syncBuiltinESMExports();
  };
  use(refusing);
  try {
    return await run();
  } finally {
    use(createHash);
  }
}
