/** Random histories of three servers and their clients, judged by the checkers. Faults in depth: src/sim. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EnsembleWorld, type Attached, type Server } from "../../test/support/ensemble-world.ts";
import {
  answeredInOrder,
  eventsBeforeAnswers,
  forNow,
  happenedOnce,
  nothingLost,
  readsAreExact,
  type SentRead,
} from "../../test/support/replica-checks.ts";
import {
  anyAge,
  bytes,
  getData,
  linearizable,
  watchOf,
  type Answer,
  type OpenedSession,
} from "../../test/support/replica-world.ts";
import { create, del, setData } from "../../test/support/tree-leader.ts";
import type { WriteRequest } from "../tree/request.ts";

const runs = Number(process.env["ZABTREE_RUNS"] ?? 100);
const seed = process.env["ZABTREE_SEED"];
const parameters = { numRuns: runs, ...(seed === undefined ? {} : { seed: Number(seed) }) };

const paths = ["/a", "/b", "/a/x"];
const rootWatch = 1_000_000;

type Action =
  | { kind: "write" | "read"; by: number; what: number }
  | { kind: "move"; by: number; to: number }
  | { kind: "resend"; by: number }
  | { kind: "work" | "kill" | "restart" | "isolate" | "disk"; at: number }
  | { kind: "step" | "settle" | "tick" | "heal" | "wait" };

const by = fc.nat(2);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 14, arbitrary: fc.record({ kind: fc.constant("write" as const), by, what: fc.nat(8) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("read" as const), by, what: fc.nat(5) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("move" as const), by, to: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("resend" as const), by }) },
  { weight: 10, arbitrary: fc.record({ kind: fc.constant("work" as const), at: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("kill" as const, "isolate", "disk"), at: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("restart" as const), at: fc.nat(2) }) },
  { weight: 14, arbitrary: fc.record({ kind: fc.constantFrom("step" as const, "step", "tick") }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom("settle" as const, "heal", "wait") }) },
);

interface Numbered {
  readonly session: number;
  readonly seq: number;
  readonly request: WriteRequest;
  readonly path: string;
  readonly calls: { call: number; at: Stream }[];
}

interface Stream extends Attached {
  readonly server: Server;
  readonly sent: number[];
  readonly reads: SentRead[];
  from: number;
}

class Client {
  readonly streams: Stream[] = [];
  readonly numbered: Numbered[] = [];
  readonly session: OpenedSession;
  private calls = 0;

  constructor(world: EnsembleWorld) {
    this.session = world.leader.open(120_000);
  }

  /** Attaches at a server; when it serves and the leader agrees, sooner or later. */
  connect(server: Server): void {
    if (!server.isAlive || !server.replica.serving) return;
    const attached = server.attach(this.session);
    this.streams.push(Object.assign(attached, { server, sent: [], reads: [], from: -1 }));
  }

  /** The newest stream, if it can be used. */
  private get stream(): Stream | undefined {
    const stream = this.streams.at(-1);
    if (stream?.stream === undefined || stream.stream.isEnded || !stream.server.isAlive) return undefined;
    if (stream.from < 0) {
      stream.from = stream.server.replica.appliedZxid;
      stream.stream.addWatch(this.call(stream), rootWatch, watchOf("/"));
    }
    return stream;
  }

  private call(stream: Stream): number {
    stream.sent.push(++this.calls);
    return this.calls;
  }

  write(what: number): void {
    const path = paths[what % paths.length]!;
    const value = bytes(`${this.session.id}.${this.numbered.length}`);
    const request = what < 3 ? create(path, { data: value }) : what < 7 ? setData(path, value) : del(path);
    const seq = this.numbered.length + 1;
    const write = { session: this.session.id, seq, request, path, calls: [] };
    this.numbered.push(write);
    this.send(write);
  }

  private send(write: Numbered): void {
    const at = this.stream;
    if (at === undefined) return;
    const call = this.call(at);
    write.calls.push({ call, at });
    at.stream!.write(call, write.request, write.seq);
  }

  resend(): void {
    for (const write of this.numbered) if (!this.isResolved(write)) this.send(write);
  }

  read(what: number): void {
    const at = this.stream;
    if (at === undefined) return;
    const call = this.call(at);
    const path = paths[what % paths.length]!;
    at.reads.push({ call, path });
    at.stream!.read(call, getData(path), what < 3 ? anyAge : linearizable);
  }

  answersOf(write: Numbered): Answer[] {
    return write.calls.flatMap(({ call, at }) => at.sink.answers.filter((answer) => answer.call === call));
  }

  isResolved(write: Numbered): boolean {
    return this.answersOf(write).some(({ reason }) => !forNow.has(reason) && reason !== "SESSION_MOVED");
  }
}

function run(world: EnsembleWorld, clients: readonly Client[], each: Action): void {
  switch (each.kind) {
    case "write":
      clients[each.by]!.write(each.what);
      return;
    case "read":
      clients[each.by]!.read(each.what);
      return;
    case "move":
      clients[each.by]!.connect(world.servers[each.to]!);
      return;
    case "resend":
      clients[each.by]!.resend();
      return;
    case "work":
      if (world.servers[each.at]!.isAlive) world.servers[each.at]!.work();
      return;
    case "kill":
      if (world.servers[each.at]!.isAlive) world.kill(world.servers[each.at]!);
      return;
    case "restart":
      if (!world.servers[each.at]!.isAlive) world.restart(world.servers[each.at]!);
      return;
    case "isolate":
      world.isolate(world.servers[each.at]!);
      return;
    case "disk":
      world.servers[each.at]!.isDiskWorking = !world.servers[each.at]!.isDiskWorking;
      return;
    case "step":
      world.step();
      return;
    case "settle":
      world.settle();
      return;
    case "tick":
      world.advance();
      return;
    case "wait":
      world.pass(600);
      return;
    case "heal":
      world.heal();
  }
}

function judge(world: EnsembleWorld, clients: readonly Client[]): string[] {
  const txns = world.leader.log.all();
  const faults = nothingLost(world.trace, world.leader.log);
  for (const client of clients) {
    const numbered = client.numbered.map((write) => {
      const answers = client.answersOf(write).filter(({ reason }) => reason !== "SESSION_MOVED");
      return { ...write, answers };
    });
    faults.push(...happenedOnce(numbered, txns));
    for (const write of client.numbered) {
      if (!client.isResolved(write)) faults.push(`write ${write.seq} of ${write.session} has no outcome`);
    }
    for (const { sink, sent, reads, from } of client.streams) {
      faults.push(...answeredInOrder(sent, sink.entries));
      if (from >= 0) faults.push(...eventsBeforeAnswers(rootWatch, from, sink.entries, txns));
      faults.push(...readsAreExact(reads, sink.entries, txns));
    }
  }
  if (new Set(world.servers.map(({ replica }) => replica.digest())).size !== 1) faults.push("states differ");
  if (world.servers.some(({ divergence }) => divergence !== undefined)) faults.push("digests differed");
  return faults;
}

describe("random histories of an ensemble", () => {
  it("lose nothing, repeat nothing, show nothing too early, and end in one state", () => {
    fc.assert(
      fc.property(fc.array(action, { minLength: 20, maxLength: 200 }), (actions) => {
        const world = EnsembleWorld.serving(undefined, { digestEvery: 4, sizes: { recentTxns: 8 } });
        const clients = [1, 2, 3].map(() => new Client(world));
        for (const [index, client] of clients.entries()) client.connect(world.servers[index]!);
        world.settle();
        for (const each of actions) run(world, clients, each);
        world.heal();
        for (const server of world.servers) {
          server.isDiskWorking = true;
          if (!server.isAlive) world.restart(server);
        }
        world.elect();
        world.pass(5500);
        for (const client of clients) client.connect(world.leader);
        world.settle();
        for (const client of clients) client.resend();
        world.pass(1000);
        expect(judge(world, clients)).toEqual([]);
      }),
      parameters,
    );
  });
});
