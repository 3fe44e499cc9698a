/**
 * An SDK error in one line. If an endpoint fails without a message, the line has at least its HTTP status.
 */
export function describeError(error: unknown): { readonly name: string; readonly text: string } {
  if (!(error instanceof Error)) return { name: "Error", text: String(error) };
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode;
  const text = `${error.name}: ${error.message || "no message"}`;
  return { name: error.name, text: status === undefined || status < 500 ? text : `${text} (HTTP ${status})` };
}
