/** Rows of the lease table, deleted and edited by hand while the fleet runs. */
import { FLEET_ATTRIBUTES } from "../../../src/adapters/dynamodb/own-rows.ts";
import type { FleetUnderTest } from "../fleet.ts";
import { pick } from "../pick.ts";
import type { Expectation, Row } from "../row.ts";

const group = "by hand" as const;
const AFTER_MILLIS = 8_000;

const byHand = (
  name: string,
  about: string,
  expects: Expectation,
  edit: (fleet: FleetUnderTest) => Promise<void>,
): Row => ({
  name,
  group,
  about,
  expects,
  async run(fleet) {
    fleet.begins();
    fleet.healed();
    await edit(fleet);
    await fleet.sleep(AFTER_MILLIS);
  },
});

const anyShard = async (fleet: FleetUnderTest): Promise<string> =>
  pick(await fleet.stream.open(), fleet.random).shardId;

export const byHandRows: readonly Row[] = [
  byHand(
    "lease-row-deleted",
    "the row of a lease is deleted",
    {
      // The load runs for some 20 s, and each shard gets an eighth of it.
      doubled: {
        because: "the checkpoint went with the row: its shard begins anew",
        workers: 0.5,
        seconds: 30,
      },
    },
    async (fleet) => {
      const shardId = await anyShard(fleet);
      fleet.excuseShard(shardId, 60_000);
      await fleet.table.deleteRow(shardId);
    },
  ),
  {
    name: "lease-row-garbled",
    group,
    about: "the counter of a lease becomes a text, and is repaired 8 s later",
    expects: {
      doubled: {
        because: "processed after the last checkpoint before the row was garbled",
        workers: 0.5,
        seconds: 14,
      },
      says: /row|lease/,
    },
    async run(fleet) {
      const shardId = await anyShard(fleet);
      const { leaseCounter } = await fleet.table.read(shardId);
      fleet.begins();
      fleet.excuseShard(shardId, 60_000);
      await fleet.table.set(shardId, ["leaseCounter"], { S: "seven" });
      await fleet.sleep(AFTER_MILLIS);
      await fleet.table.set(shardId, ["leaseCounter"], leaseCounter!);
      fleet.healed();
    },
  },
  byHand(
    "lease-owner-removed",
    "the owner of a lease is removed",
    { doubled: { because: "processed after the last checkpoint before the edit", workers: 0.5, seconds: 8 } },
    async (fleet) => {
      const shardId = await anyShard(fleet);
      fleet.excuseShard(shardId, 60_000);
      await fleet.table.remove(shardId, ["leaseOwner"]);
    },
  ),
  byHand(
    "lease-owner-stranger",
    "a lease is given to a worker that does not exist",
    { doubled: { because: "processed after the last checkpoint before the edit", workers: 0.5, seconds: 8 } },
    async (fleet) => {
      const shardId = await anyShard(fleet);
      fleet.excuseShard(shardId, 60_000);
      await fleet.table.set(shardId, ["leaseOwner"], { S: "worker-of-last-year" });
    },
  ),
  byHand("fleet-row-deleted", "fleet row 0 is deleted", { doubled: 0 }, (fleet) =>
    fleet.table.deleteRow(fleet.table.fleetRow),
  ),
  {
    name: "fleet-row-deleted-large",
    group,
    about: "fleet row 0 of a fleet of thirteen is deleted, a row more than its members fill",
    workers: 13,
    shards: 13,
    expects: { doubled: 0 },
    async run(fleet) {
      await fleet.table.deleteRow(fleet.table.fleetRow);
      await fleet.sleep(AFTER_MILLIS);
    },
  },
  {
    name: "fleet-row-garbled",
    group,
    about: "the members of fleet row 0 become a text, and the row is deleted 8 s later",
    expects: { doubled: 0, says: /row|member/ },
    async run(fleet) {
      fleet.begins();
      await fleet.table.set(fleet.table.fleetRow, [FLEET_ATTRIBUTES.members], { S: "garbled" });
      await fleet.sleep(AFTER_MILLIS);
      await fleet.table.deleteRow(fleet.table.fleetRow);
      fleet.healed();
      await fleet.sleep(3_000);
    },
  },
  {
    name: "fleet-version-back",
    group,
    about: "the version of fleet row 0 is set back to 1, then a worker is killed and another joins",
    expects: {
      doubled: {
        because: "processed after the last checkpoint of the worker that was killed",
        workers: 1,
        seconds: 4,
      },
      says: /dead/,
    },
    async run(fleet) {
      await fleet.table.setFleetVersionBack();
      await fleet.sleep(1_000);
      fleet.begins();
      fleet.healed();
      fleet.kill(fleet.any());
      await fleet.start(1);
      await fleet.sleep(AFTER_MILLIS);
    },
  },
  byHand("member-deleted", "the entry of one worker is deleted from fleet row 0", { doubled: 0 }, (fleet) =>
    fleet.table.deleteMember(fleet.any().workerId),
  ),
  byHand(
    "member-garbled",
    "the entry of one worker in fleet row 0 becomes a text",
    { doubled: 0, says: /member|entry|row/ },
    (fleet) => fleet.table.garbleMember(fleet.any().workerId),
  ),
];
