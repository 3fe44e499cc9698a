/**
 * What went wrong with a call to AWS, named by what can be done about it. Adapters classify; the engine has one policy
 * for each class and says so (`engine/error-reports.ts`).
 */
export type ErrorClass =
  /** Too many calls: back off. */
  | "throttled"
  /** No answer, a 5xx, the network, a deadline: passes by itself, and the call may have happened. */
  | "unavailable"
  /** An answer without what a real one always has (an empty 200 from a proxy): not believed, and asked again. */
  | "malformed-answer"
  /** The IAM policy does not allow it. May pass: policies take a while to spread. */
  | "denied"
  /** No credentials, unknown ones, or a signature that AWS refuses. */
  | "unauthenticated"
  /** Credentials that were good and are not renewed. */
  | "expired-credentials"
  /** The KMS key is denied, disabled, missing or throttled. */
  | "encryption"
  /** The table, stream or shard does not exist. */
  | "not-found"
  /** AWS refuses the arguments: a retry with the same ones cannot help. */
  | "invalid"
  /** No answer of AWS at all: an error in the program, or in what a user gave it. */
  | "defect";

/** These do not pass by themselves: somebody has to change a policy, a key, a name. They are reported at once. */
const NEEDS_A_PERSON: ReadonlySet<ErrorClass> = new Set([
  "denied",
  "unauthenticated",
  "expired-credentials",
  "encryption",
  "not-found",
  "invalid",
  "defect",
]);

export const needsAPerson = (errorClass: ErrorClass): boolean => NEEDS_A_PERSON.has(errorClass);

const BY_NAME: Readonly<Record<string, ErrorClass>> = {
  ProvisionedThroughputExceededException: "throttled",
  LimitExceededException: "throttled",
  ThrottlingException: "throttled",
  Throttling: "throttled",
  RequestLimitExceeded: "throttled",
  TooManyRequestsException: "throttled",
  AccessDeniedException: "denied",
  AccessDenied: "denied",
  UnauthorizedOperation: "denied",
  OptInRequired: "denied",
  UnrecognizedClientException: "unauthenticated",
  InvalidClientTokenId: "unauthenticated",
  InvalidSignatureException: "unauthenticated",
  IncompleteSignature: "unauthenticated",
  IncompleteSignatureException: "unauthenticated",
  SignatureDoesNotMatch: "unauthenticated",
  MissingAuthenticationToken: "unauthenticated",
  MissingAuthenticationTokenException: "unauthenticated",
  CredentialsProviderError: "unauthenticated",
  ExpiredToken: "expired-credentials",
  ExpiredTokenException: "expired-credentials",
  RequestExpired: "expired-credentials",
  TokenRefreshRequired: "expired-credentials",
  KMSAccessDeniedException: "encryption",
  KMSDisabledException: "encryption",
  KMSInvalidStateException: "encryption",
  KMSNotFoundException: "encryption",
  KMSOptInRequired: "encryption",
  KMSThrottlingException: "encryption",
  ResourceNotFoundException: "not-found",
  ValidationException: "invalid",
  InvalidArgumentException: "invalid",
  SerializationException: "invalid",
};

/** By the error's name, as the SDKs give it. Whatever has no class of its own may pass: 5xx, the network, time-outs. */
export const errorClassOf = (name: string): ErrorClass => BY_NAME[name] ?? "unavailable";
