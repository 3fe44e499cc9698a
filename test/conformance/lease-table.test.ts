import { describeLeaseTable } from "./lease-table-suite.ts";
import { startDynalite } from "./local-servers.ts";

describeLeaseTable("DynamoDB adapter on dynalite", startDynalite);
