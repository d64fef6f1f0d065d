/**
 * Many Watch streams on one znode: how long after a change is sent has the last of them been told?
 *
 * Prints one line of JSON with the times of all rounds, in milliseconds.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { connect, WatchScope } from "../src/client/index.ts";
import { asBuffer } from "../src/rpc/service-definition.ts";
import { WatchRequestSchema, WatchService } from "../gen/ts/zabtree/v1/watch_pb.js";

const { values } = parseArgs({
  options: {
    server: { type: "string", default: "127.0.0.1:4281" },
    watchers: { type: "string", default: "1000" },
    connections: { type: "string", default: "10" },
    rounds: { type: "string", default: "20" },
  },
});

const path = "/fan-out";
const watchers = Number(values.watchers);
const request = asBuffer(
  toBinary(
    WatchRequestSchema,
    create(WatchRequestSchema, {
      spec: { path, scope: WatchScope.NODE, start: { case: "currentState", value: true } },
    }),
  ),
);

/** Messages that have come in this round; each stream gets one a round. */
let messages = 0;
let allTold: () => void = () => undefined;

function watch(client: Client): void {
  const stream = client.makeServerStreamRequest(
    `/${WatchService.typeName}/Watch`,
    (bytes: Buffer) => bytes,
    (bytes) => bytes,
    request,
    new Metadata(),
  );
  stream.on("data", () => {
    messages++;
    if (messages === watchers) allTold();
  });
}

const connection = await connect({ server: values.server });
await connection.tree.create({ path });
const clients = Array.from(
  { length: Number(values.connections) },
  () => new Client(values.server, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 }),
);
for (let i = 0; i < watchers; i++) watch(clients[i % clients.length]!);
// The state and its end may come as one message or as two: wait until nothing comes any more.
for (let before = -1; messages < watchers || messages !== before;) {
  before = messages;
  await sleep(500);
}
const times: number[] = [];
for (let round = 0; round < Number(values.rounds); round++) {
  messages = 0;
  const told = new Promise<void>((resolve) => {
    allTold = resolve;
  });
  const start = performance.now();
  await Promise.all([connection.tree.setData({ path, data: new Uint8Array(randomBytes(100)) }), told]);
  times.push(Number((performance.now() - start).toFixed(2)));
  await sleep(100);
}
console.log(JSON.stringify({ op: "fan-out", watchers, times }));
process.exit(0);
