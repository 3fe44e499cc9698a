/** Every row of the campaign, in the order of the matrix. */
import type { Row } from "../row.ts";
import { byHandRows } from "./by-hand.ts";
import { handlerRows } from "./handler.ts";
import { identityRows } from "./identity.ts";
import { processRows } from "./processes.ts";
import { reshardRows } from "./reshards.ts";
import { streamRows } from "./stream.ts";
import { tableRows } from "./table.ts";

export const ROWS: readonly Row[] = [
  ...processRows,
  ...handlerRows,
  ...tableRows,
  ...streamRows,
  ...reshardRows,
  ...byHandRows,
  ...identityRows,
];
