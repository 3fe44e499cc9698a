/** Real AWS: prints account and region, and asks before anything is split, scaled or deleted. */
import { createInterface } from "node:readline/promises";
import { GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import type { Clients } from "../aws/clients.ts";
import { CommandError, Interrupted, messageOf, wrongUse } from "../errors.ts";
import type { Context } from "./context.ts";

export async function confirmAws(
  clients: Clients,
  context: Context,
  changes: string | undefined,
  yes: boolean,
): Promise<void> {
  const account = await accountOf(clients);
  context.note(`AWS account ${account}, region ${clients.target.region}`);
  if (changes === undefined || yes) return;
  if (!process.stdin.isTTY)
    throw wrongUse(`this would ${changes} in AWS account ${account}; say --yes to go on without being asked`);
  const prompt = createInterface({ input: process.stdin, output: context.stderr });
  try {
    const answer = await prompt.question(`This will ${changes} there. Go on? [y/N] `, {
      signal: context.signal,
    });
    if (!/^y(es)?$/i.test(answer.trim())) throw new CommandError("nothing was changed");
  } catch (error) {
    if (context.signal.aborted) throw new Interrupted("confirmation");
    throw error;
  } finally {
    prompt.close();
  }
}

async function accountOf(clients: Clients): Promise<string> {
  try {
    return (await clients.sts.send(new GetCallerIdentityCommand({}))).Account ?? "unknown";
  } catch (error) {
    throw new CommandError(
      `no access to AWS (${messageOf(error)}); sign in (aws sso login, or AWS_PROFILE), or leave --aws out`,
    );
  }
}
