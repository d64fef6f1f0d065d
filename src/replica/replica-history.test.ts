/**
 * Random histories: several clients pipeline reads and writes over streams that break, resend what has no outcome, leave
 * watches; the log becomes durable bit by bit, and the process crashes at any point. Checkers judge the whole.
 *
 * ZABTREE_RUNS=20000 makes a longer campaign; ZABTREE_SEED=… repeats one.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  answeredInOrder,
  answersAreDurable,
  eventsBeforeAnswers,
  forNow,
  happenedOnce,
  nothingLost,
  oneShotsFire,
  readsAreExact,
  type LeftWatch,
  type SentRead,
} from "../../test/support/replica-checks.ts";
import {
  bytes,
  exists,
  getChildren,
  getData,
  watchOf,
  World,
  type Answer,
  type Connection,
  type OpenedSession,
  type RecordingSink,
} from "../../test/support/replica-world.ts";
import { create, del, setData } from "../../test/support/tree-leader.ts";
import type { WriteRequest } from "../tree/request.ts";

const runs = Number(process.env["ZABTREE_RUNS"] ?? 250);
const seed = process.env["ZABTREE_SEED"];

const paths = ["/a", "/b", "/a/x", "/a/y", "/b/x"];

type Action =
  | {
      readonly kind: "write";
      readonly by: number;
      readonly what: number;
      readonly path: number;
      readonly numbered: boolean;
    }
  | {
      readonly kind: "read";
      readonly by: number;
      readonly what: number;
      readonly path: number;
      readonly leave: boolean;
      readonly fresh: number;
    }
  | { readonly kind: "resend" | "unary" | "reconnect" | "close" | "slow" | "drain"; readonly by: number }
  | { readonly kind: "flush" | "tell" | "history" | "tick" | "wait" | "crash" | "disk" }
  | { readonly kind: "sync"; readonly count: number };

const by = fc.nat(2);
const path = fc.nat(paths.length - 1);

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ kind: fc.constant("write" as const), by, what: fc.nat(9), path, numbered: fc.boolean() }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant("read" as const),
      by,
      what: fc.nat(2),
      path,
      leave: fc.boolean(),
      fresh: fc.nat(5),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom("resend" as const, "unary" as const), by }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("slow" as const, "drain" as const), by }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("reconnect" as const), by }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("close" as const), by }) },
  { weight: 10, arbitrary: fc.record({ kind: fc.constantFrom("flush" as const, "tell" as const, "tell" as const) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("sync" as const), count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("history" as const, "tick" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("wait" as const, "crash" as const, "disk" as const) }) },
);

/** One stream and everything that was sent on it. */
interface Attached extends Connection {
  readonly from: number;
  readonly sent: number[];
  readonly left: LeftWatch[];
  readonly reads: SentRead[];
}

interface Numbered {
  readonly session: number;
  readonly seq: number;
  readonly request: WriteRequest;
  readonly path: string | undefined;
  readonly answers: Answer[];
  readonly calls: { call: number; sink: RecordingSink }[];
}

const rootWatch = 1_000_000;

class Client {
  private readonly world: World;
  private session: OpenedSession;
  private at: Attached | undefined;
  readonly attached: Attached[] = [];
  numbered: Numbered[] = [];
  readonly past: Numbered[] = [];
  private closed = false;

  constructor(world: World) {
    this.world = world;
    this.session = world.open({ timeoutMs: 120_000 });
    this.connect();
  }

  /** Attaches a stream; after a close, of a new session. Nothing happens while nobody serves. */
  connect(): Attached | undefined {
    const { world } = this;
    if (!world.replica.serving) return undefined;
    const live = world.authenticate(this.session.id, this.session.secret);
    if ("reason" in live) {
      if (!this.closed) throw new Error(`a session that nobody closed: ${live.reason}`);
      this.past.push(...this.numbered);
      this.numbered = [];
      this.closed = false;
      world.replica.setDiskLow(false);
      this.session = world.open({ timeoutMs: 120_000 });
    }
    const at = { ...world.attach(this.session), from: world.replica.appliedZxid, sent: [], left: [], reads: [] };
    this.attached.push((this.at = at));
    at.stream.addWatch(this.call(at), rootWatch, watchOf("/"));
    return at;
  }

  private call(at: Attached): number {
    const call = this.world.nextCall();
    at.sent.push(call);
    return call;
  }

  private get stream(): Attached | undefined {
    return this.at !== undefined && !this.at.stream.isEnded ? this.at : this.connect();
  }

  disconnect(): void {
    this.at?.stream.detach();
    this.at = undefined;
  }

  /** The server crashed. */
  lost(): void {
    this.at = undefined;
  }

  write(request: WriteRequest, numbered: boolean): void {
    const at = this.stream;
    if (at === undefined) return;
    if (!numbered) {
      at.stream.write(this.call(at), request, 0);
      return;
    }
    const path = request.kind === "multi" ? undefined : request.path;
    const seq = this.numbered.length + 1;
    const write = { session: this.session.id, seq, request, path, answers: [], calls: [] };
    this.numbered.push(write);
    this.send(at, write);
  }

  private send(at: Attached, write: Numbered): void {
    this.look();
    const resolved = this.numbered.findIndex((each) => !isResolved(each));
    at.stream.acknowledge(resolved < 0 ? this.numbered.length : resolved);
    const call = this.call(at);
    write.calls.push({ call, sink: at.sink });
    at.stream.write(call, write.request, write.seq);
  }

  resend(): void {
    const at = this.stream;
    this.look();
    if (at !== undefined) for (const write of this.numbered) if (!isResolved(write)) this.send(at, write);
  }

  /** The oldest write without an outcome, once more without a stream. */
  unary(): void {
    this.look();
    const write = this.numbered.find((each) => !isResolved(each));
    if (write === undefined || !this.world.replica.serving || this.closed) return;
    const sink = this.world.sink();
    const live = this.world.live(this.session);
    const call = this.world.nextCall();
    write.calls.push({ call, sink });
    const caller = { session: this.session.id, identities: [], who: "" };
    this.world.replica.write({ request: write.request, seq: write.seq, ackedSeq: 0, caller, live, sink, call });
  }

  /** Notes the answers that came by now. */
  look(): void {
    for (const write of [...this.numbered, ...this.past]) {
      write.answers.length = 0;
      for (const { call, sink } of write.calls)
        write.answers.push(...sink.answers.filter((each) => each.call === call));
    }
  }

  read(what: number, path: string, leave: boolean, fresh: number): void {
    const at = this.stream;
    if (at === undefined) return;
    const call = this.call(at);
    const id = leave ? call : 0;
    const request = [getData(path, id), exists(path, id), getChildren(path, id)][what]!;
    const minZxid = fresh === 4 ? this.world.replica.appliedZxid + 1 : fresh === 5 ? 1_000_000 : 0;
    at.reads.push({ call, path });
    if (leave) at.left.push({ call, id, kind: what === 2 ? "children" : "data", path });
    at.stream.read(call, request, { linearizable: fresh === 3, minZxid });
  }

  close(): void {
    const at = this.stream;
    if (at === undefined) return;
    at.stream.closeSession(this.call(at));
    this.closed = true;
  }

  slow(): void {
    if (this.at !== undefined) this.at.sink.capacity = 2;
  }

  drain(): void {
    if (this.at === undefined) return;
    this.at.sink.capacity = Infinity;
    this.at.sink.read();
    this.at.stream.drain();
    this.world.replica.drained(this.at.sink);
  }

  /** Whether this stream is attached to the end. */
  holds(stream: Attached["stream"]): boolean {
    return this.at?.stream === stream && !stream.isEnded;
  }

  get isOpen(): boolean {
    return !this.closed;
  }
}

function isResolved(write: Numbered): boolean {
  return write.answers.some((answer) => !forNow.has(answer.reason));
}

function writeRequest(what: number, path: string): WriteRequest {
  if (what < 3) return create(path, { data: bytes(String(what)) });
  if (what < 5) return setData(path, bytes(`set ${what}`));
  if (what < 7) return del(path);
  if (what === 7) return create(`malformed ${path}`);
  if (what === 8) return { kind: "multi", operations: [setData(path, null), setData("/a", bytes("twice"))] };
  return { kind: "multi", operations: [del(path), create(path, { data: bytes("again") })] };
}

function run(world: World, actions: readonly Action[]): Client[] {
  const clients = [new Client(world), new Client(world), new Client(world)];
  let diskLow = false;
  for (const action of actions) {
    const client = clients["by" in action ? action.by : 0]!;
    switch (action.kind) {
      case "write":
        if (client.isOpen) client.write(writeRequest(action.what, paths[action.path]!), action.numbered);
        break;
      case "read":
        client.read(action.what, paths[action.path]!, action.leave, action.fresh);
        break;
      case "resend":
      case "unary":
      case "close":
      case "slow":
      case "drain":
        client[action.kind]();
        break;
      case "reconnect":
        client.disconnect();
        break;
      case "flush":
        world.replica.flush();
        break;
      case "sync":
        world.log.sync(action.count);
        break;
      case "tell":
        world.tell();
        break;
      case "history":
        world.answerHistory();
        break;
      case "tick":
        world.tick();
        break;
      case "wait":
        world.pass(6000);
        break;
      case "disk":
        world.replica.setDiskLow((diskLow = !diskLow));
        break;
      case "crash":
        world.crash();
        for (const each of clients) each.lost();
        break;
    }
  }
  // Everything comes to rest, and every write gets its outcome.
  world.settle();
  world.replica.setDiskLow(false);
  for (const client of clients) {
    client.drain();
    for (let round = 0; round < 3 && client.isOpen; round++) {
      client.resend();
      world.settle();
      world.pass(6000);
      client.drain();
      world.settle();
    }
    client.look();
  }
  return clients;
}

function faultsOf(world: World, clients: readonly Client[]): string[] {
  const txns = world.log.all();
  const applied = world.replica.appliedZxid;
  const faults = [...answersAreDurable(world.trace), ...nothingLost(world.trace, world.log)];
  for (const client of clients) {
    const all = [...client.past, ...client.numbered];
    faults.push(...happenedOnce(all, txns));
    for (const write of client.isOpen ? client.numbered : []) {
      if (!isResolved(write)) faults.push(`write ${write.seq} of ${write.session} got no outcome`);
    }
    for (const { sink, sent, left, reads, from, stream } of client.attached) {
      const { entries } = sink;
      faults.push(...answeredInOrder(sent, entries), ...readsAreExact(reads, entries, txns));
      // A stream that was cut off or lost in a crash may have missed what came after.
      const whole = client.holds(stream);
      const until = whole ? applied : lastTold(entries);
      faults.push(...oneShotsFire(left, entries, txns, until), ...eventsBeforeAnswers(rootWatch, from, entries, txns));
      if (whole && sink.answers.length !== sent.length) faults.push("a call was not answered");
    }
  }
  return faults;
}

function lastTold(entries: readonly { readonly kind: string; readonly zxid?: number }[]): number {
  return entries.reduce((last, entry) => (entry.kind === "event" ? Math.max(last, entry.zxid ?? 0) : last), 0);
}

describe("random histories", () => {
  it("are answered durably, in order, exactly once, and with every event before what reflects it", () => {
    fc.assert(
      fc.property(fc.array(action, { minLength: 10, maxLength: 120 }), (actions) => {
        const world = World.serving({ config: { sizes: { recentTxns: 4 } } });
        const clients = run(world, actions);
        expect(faultsOf(world, clients)).toEqual([]);
        world.replica.tree.verify();
        const digest = world.replica.digest();
        world.crash();
        world.settle();
        expect(world.replica.digest()).toBe(digest);
      }),
      { numRuns: runs, ...(seed === undefined ? {} : { seed: Number(seed) }) },
    );
  });
});
