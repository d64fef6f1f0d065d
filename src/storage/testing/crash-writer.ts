/**
 * For tests: a process that recovers a data directory, writes as fast as it can until it is killed, and says on stdout
 * what it found and what it knows to be durable. `node crash-writer.ts DIR [no-checkpoint]`
 */
import { applyToSessions } from "../../sessions/apply.ts";
import { openStorage } from "../index.ts";
import { SampleHistory } from "./sample-history.ts";
import { decoded } from "./storage-fixture.ts";

const dataDir = process.argv[2]!;
const inFlight = 6;

let write = 0;
let committed = 0;
const lastZxidOf = new Map<number, number>();
const storage = await openStorage({
  dataDir,
  serverId: 1,
  // Folds and purges all the time, so that a kill meets the checkpoint at work, too.
  retention: { milliseconds: 0, transactions: 500, bytes: 1e12 },
  checkpoint: process.argv[3] === "no-checkpoint" ? false : { behindTransactions: 20, behindMs: 100 },
  onFailure: (error) => {
    console.log(JSON.stringify({ failed: error.message }));
    // Whatever is still said after this would be a bug, so it gets the chance to.
    void storage.close().then(() => process.exit(1));
  },
  onPersisted: (persisted) => {
    const zxid = lastZxidOf.get(persisted);
    if (zxid !== undefined) {
      committed = zxid;
      console.log(JSON.stringify({ persisted: zxid }));
    }
    for (const step of lastZxidOf.keys()) if (step <= persisted) lastZxidOf.delete(step);
    fill(persisted);
  },
  onHistory: () => {},
});

const { recovered } = storage;
console.log(JSON.stringify({ recovered: recovered.durable.last.zxid }));
for (const txn of decoded(recovered.durable.tail)) {
  for (const op of txn.ops) recovered.tree.apply(txn.zxid, op);
  applyToSessions(recovered.sessions, txn);
}
const { tree, sessions, lastTime, durable } = recovered;
const { last } = durable;
const history = new SampleHistory({ tree, sessions, zxid: last.zxid, time: lastTime });
history.keep = false;
history.epoch = durable.acceptedEpoch + 1;
storage.log.acceptEpoch(++write, history.epoch);
storage.log.establishEpoch(++write, { epoch: history.epoch, last, committed: durable.committed });
if (last.zxid === 0) history.found();
const session = history.openSession();
fill(0);

/** Keeps a few steps under way; what is durable is committed by the steps that follow. */
function fill(persisted: number): void {
  while (write - persisted < inFlight) append();
}

function append(): void {
  const n = history.zxid;
  history.create(`/k${n}`, Buffer.from(`value of ${n}`), session);
  if (n % 3 === 0) history.set(`/k${n}`, Buffer.from("changed".repeat(n % 50)), session);
  if (n % 7 === 0) {
    const operations = [1, 2, 3].map((i) => {
      return { kind: "create", path: `/k${n}/${i}`, data: null, mode: 1, acl: null } as const;
    });
    history.write({ kind: "multi", operations }, session);
  }
  write++;
  const step = history.takeStep(committed);
  lastZxidOf.set(write, step.lastZxid);
  storage.log.append(write, step);
}
