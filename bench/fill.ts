/**
 * Makes many znodes by multis of creates over session streams: `--znodes` of them under `--parents` parents.
 * Prints one line of JSON with znodes per second.
 */
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { utf8Length, type ByteWriter } from "../src/base/bytes.ts";
import { connect } from "../src/client/index.ts";
import { lengthSize, numberSize, writeLength, writeNumber } from "../src/rpc/wire.ts";
import { openRawSessions, Operation, type Requests } from "./raw-session.ts";

const { values } = parseArgs({
  options: {
    server: { type: "string", default: "127.0.0.1:4281" },
    znodes: { type: "string", default: "1000000" },
    parents: { type: "string", default: "1000" },
    bytes: { type: "string", default: "100" },
    root: { type: "string", default: "/big" },
    /** Creates in one multi. */
    batch: { type: "string", default: "100" },
    sessions: { type: "string", default: "8" },
    inflight: { type: "string", default: "4" },
  },
});

const znodes = Number(values.znodes);
const parents = Number(values.parents);
const batch = Number(values.batch);
const { root } = values;
const data = randomBytes(Number(values.bytes));

/** The sessions share the work: each takes the next batch. */
let taken = 0;

const requests: Requests = {
  answered: () => undefined,
  next(message, call, seq) {
    const from = taken;
    if (from >= znodes) return "none";
    taken = Math.min(znodes, from + batch);
    encodeMulti(message, { call, seq, from, to: taken });
    return "write";
  },
};

function encodeMulti(message: ByteWriter, multi: { call: number; seq: number; from: number; to: number }): void {
  const { call, seq, from, to } = multi;
  const paths = Array.from({ length: to - from }, (_, i) => `${root}/p${(from + i) % parents}/k${from + i}`);
  const creates = paths.map((path) => lengthSize(utf8Length(path)) + lengthSize(data.length));
  const content = creates.reduce((sum, create) => sum + lengthSize(lengthSize(create)), 0) + numberSize(seq);
  writeLength(message, 3, numberSize(call) + lengthSize(content));
  writeNumber(message, 1, call);
  writeLength(message, Operation.multi, content);
  paths.forEach((path, i) => {
    const create = creates[i]!;
    writeLength(message, 1, lengthSize(create));
    writeLength(message, 1, create);
    message.byte((1 << 3) | 2);
    message.string(path);
    writeLength(message, 2, data.length);
    message.raw(data);
  });
  writeNumber(message, 10, seq);
}

const connection = await connect({ server: values.server });
await connection.tree.create({ path: root });
for (let from = 0; from < parents; from += 500) {
  const operations = Array.from({ length: Math.min(500, parents - from) }, (_, i) => ({
    operation: { case: "create" as const, value: { path: `${root}/p${from + i}` } },
  }));
  await connection.tree.multi({ operations });
}
const sessions = await openRawSessions(connection, Number(values.sessions), 8, () => requests);
const start = performance.now();
for (const session of sessions) session.start(Number(values.inflight));
await Promise.all(sessions.map((session) => session.finished()));
const seconds = (performance.now() - start) / 1000;
console.log(
  JSON.stringify({ znodes, batch, perSecond: Math.round(znodes / seconds), seconds: Number(seconds.toFixed(2)) }),
);
process.exit(0);
