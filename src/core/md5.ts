/**
 * MD5, if this Node has it. In FIPS mode (hardened images, GovCloud) OpenSSL refuses it. The engine needs it
 * only for KPL records, and not for security: as the checksum of an aggregate and as Kinesis's hash of a
 * partition key.
 */
import { createHash } from "node:crypto";

export type Md5 = (bytes: Uint8Array | string) => Uint8Array | undefined;

/**
 * Undefined: this Node refuses MD5. Node can be switched to FIPS while it runs, so every call checks again.
 */
export const md5: Md5 = (bytes) => {
  try {
    return createHash("md5").update(bytes).digest();
  } catch {
    return undefined;
  }
};

export const isMd5Available = (): boolean => md5("") !== undefined;
