import { kinesisUnderTest } from "./kinesis-under-test.ts";
import { startKinesalite } from "./local-servers.ts";
import { describeStream } from "./stream-suite.ts";

let server: Awaited<ReturnType<typeof startKinesalite>>;
let streams = 0;

describeStream(
  "Kinesis adapter on kinesalite",
  (shards) => kinesisUnderTest(server.client, `stream-${++streams}`, shards),
  { namesChildren: false, refusesNonsense: true, foreignNumber: "invalid" },
  {
    prepare: async () => {
      server = await startKinesalite();
    },
    tearDown: () => server.close(),
  },
);
