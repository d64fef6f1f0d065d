/**
 * Unary calls with the grpc-js client: some connections, a fixed number of calls in flight on each. The client costs
 * more than the server, so on two cores it is the client that limits the rate.
 *
 * Prints one line of JSON like load.ts.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { toBinary, type DescMessage, type MessageShape, create } from "@bufbuild/protobuf";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { connect } from "../src/client/index.ts";
import { asBuffer } from "../src/rpc/service-definition.ts";
import { GetDataRequestSchema, SetDataRequestSchema, TreeService } from "../gen/ts/zabtree/v1/tree_pb.js";
import { LatencyHistogram } from "./latency.ts";
import { cpuBetween, threadTimes } from "./process-times.ts";

const { values } = parseArgs({
  options: {
    server: { type: "string", default: "127.0.0.1:4281" },
    pid: { type: "string" },
    op: { type: "string", default: "get" },
    connections: { type: "string", default: "8" },
    inflight: { type: "string", default: "16" },
    bytes: { type: "string", default: "100" },
    warmup: { type: "string", default: "2" },
    seconds: { type: "string", default: "5" },
  },
});

const path = "/unary";
const data = new Uint8Array(randomBytes(Number(values.bytes)));
const isSet = values.op === "set";
const method = isSet ? "SetData" : "GetData";
const request = isSet
  ? encoded(SetDataRequestSchema, create(SetDataRequestSchema, { path, data }))
  : encoded(GetDataRequestSchema, create(GetDataRequestSchema, { path }));

function encoded<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Buffer {
  return asBuffer(toBinary(schema, message));
}

const latency = new LatencyHistogram();
let completed = 0;
let stopping = false;

function call(client: Client): void {
  const sentAt = performance.now();
  client.makeUnaryRequest(
    `/${TreeService.typeName}/${method}`,
    (bytes: Buffer) => bytes,
    (bytes) => bytes,
    request,
    (error: ServiceError | null) => {
      if (stopping) return;
      if (error !== null) throw error;
      completed++;
      latency.record(performance.now() - sentAt);
      call(client);
    },
  );
}

const connection = await connect({ server: values.server });
await connection.tree.create({ path, data }).catch((error: unknown) => {
  if ((error as { reason?: string }).reason !== "NODE_EXISTS") throw error;
});
for (let i = 0; i < Number(values.connections); i++) {
  const client = new Client(values.server, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  for (let k = 0; k < Number(values.inflight); k++) call(client);
}
await sleep(Number(values.warmup) * 1000);
completed = 0;
latency.reset();
const pid = values.pid === undefined ? undefined : Number(values.pid);
const threads = pid === undefined ? undefined : threadTimes(pid);
const cpu = process.cpuUsage();
const from = performance.now();
await sleep(Number(values.seconds) * 1000);
const seconds = (performance.now() - from) / 1000;
const used = process.cpuUsage(cpu);
stopping = true;
const server =
  pid === undefined || threads === undefined
    ? {}
    : {
        serverMicrosPerOp: Object.fromEntries(
          Object.entries(cpuBetween(pid, threads, threadTimes(pid))).map(([role, ms]) => [
            role,
            Number(((ms * 1000) / completed).toFixed(2)),
          ]),
        ),
      };
console.log(
  JSON.stringify({
    op: `unary ${values.op}`,
    perSecond: Math.round(completed / seconds),
    ...latency.summary(),
    clientMicrosPerOp: Number(((used.user + used.system) / completed).toFixed(2)),
    ...server,
  }),
);
process.exit(0);
