/** Ten thousand shards and a thousand workers: written last. */
export async function runScale(say: (line: string) => void): Promise<boolean> {
  say("not yet");
  return false;
}
