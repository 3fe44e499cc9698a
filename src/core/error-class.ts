/**
 * The class of an error of an AWS call, named after what can be done about it. The adapters classify; the
 * engine has one policy for each class and logs it (`engine/error-reports.ts`).
 */
export type ErrorClass =
  /** Too many calls: back off. */
  | "throttled"
  /** No answer, a 5xx, the network, a deadline. It passes by itself, and the call may have succeeded. */
  | "unavailable"
  /**
   * An answer without a field that a real one always has (an empty 200 from a proxy). It is not trusted; the
   * call is repeated.
   */
  | "malformed-answer"
  /** The IAM policy does not allow it. It may pass: policies take a while to spread. */
  | "denied"
  /** No credentials, unknown ones, or a signature that AWS refuses. */
  | "unauthenticated"
  /** Credentials that were valid and were not renewed. */
  | "expired-credentials"
  /** The KMS key is denied, disabled, missing or throttled. */
  | "encryption"
  /** The table, stream or shard does not exist. */
  | "not-found"
  /** AWS refuses the arguments: a retry with the same ones cannot help. */
  | "invalid"
  /** Not an answer of AWS: a bug in the program, or in the user's code. */
  | "defect";

/**
 * These do not pass by themselves: a person must change a policy, a key or a name. They are reported at once.
 */
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

/**
 * The class by the error's name, as the SDKs give it. An error without its own class may pass: 5xx, the
 * network, time-outs.
 */
export const errorClassOf = (name: string): ErrorClass => BY_NAME[name] ?? "unavailable";
