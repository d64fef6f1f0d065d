/**
 * Random histories against the reference model, driven the way a leader drives the tree: requests are prepared one
 * after the other while earlier transactions are still held back, and those are applied later in batches of any size.
 *
 * ZABTREE_RUNS=20000 makes a longer campaign; ZABTREE_SEED=… repeats one.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adoptFrom, caller, identity, loadFrom } from "../../test/support/tree-leader.ts";
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { decodeTxn, encodeTxn } from "../replica/txn-codec.ts";
import { rejection } from "./detail.ts";
import type { Acl } from "./acl.ts";
import { parentPath } from "./path.ts";
import { blankOp, isRefusal, Preparer, type Caller, type Prepared, type TxnStamp } from "./prepare.ts";
import { ReferenceModel, type ModelEvent, type ModelResult, type ModelRow, type ModelStat } from "./reference-model.ts";
import {
  requestKindOf,
  requestProblem,
  type CreateRequest,
  type MultiOperation,
  type WriteRequest,
} from "./request.ts";
import { cversion, emptyStat, type Stat } from "./stat.ts";
import { Tree } from "./tree.ts";
import { OpKind, RequestKind, type Txn, type TxnOp } from "./txn.ts";

const runs = Number(process.env.ZABTREE_RUNS ?? 200);
const seed = process.env.ZABTREE_SEED;

// ---- what a history consists of: descriptions that are resolved against the model when their turn comes, so that
// most requests meet something that exists

type PathChoice =
  | { readonly kind: "existing"; readonly pick: number }
  | { readonly kind: "with children"; readonly pick: number }
  | { readonly kind: "below"; readonly pick: number; readonly name: string }
  | { readonly kind: "literal"; readonly path: string };

type VersionChoice = "any" | "right" | "wrong" | "minus one";

type OperationChoice =
  | {
      readonly kind: "create";
      readonly path: PathChoice;
      readonly mode: number;
      readonly acl: string;
      readonly data: Uint8Array | null;
      readonly slash: boolean;
    }
  | { readonly kind: "delete"; readonly path: PathChoice; readonly version: VersionChoice }
  | {
      readonly kind: "setData";
      readonly path: PathChoice;
      readonly version: VersionChoice;
      readonly data: Uint8Array | null;
    }
  | { readonly kind: "setAcl"; readonly path: PathChoice; readonly version: VersionChoice; readonly acl: string }
  | { readonly kind: "check"; readonly path: PathChoice; readonly version: VersionChoice; readonly exists: boolean };

type RequestChoice =
  | OperationChoice
  | { readonly kind: "deleteSubtree"; readonly path: PathChoice }
  | { readonly kind: "multi"; readonly operations: readonly OperationChoice[] };

type Step =
  | { readonly kind: "request"; readonly by: number; readonly request: RequestChoice; readonly elapsed: number }
  | { readonly kind: "endSession"; readonly by: number; readonly expired: boolean }
  | { readonly kind: "apply"; readonly count: number }
  | { readonly kind: "restart" };

/** The callers of a history: some with a session, some with identities. */
const callers: readonly { readonly session: boolean; readonly identities: readonly string[] }[] = [
  { session: false, identities: [] },
  { session: true, identities: ["digest:bob:B"] },
  { session: true, identities: ["digest:alice:A", "ip:10.1.2.3"] },
  { session: false, identities: ["ip:2001:db8::7"] },
  { session: true, identities: [] },
];

/** ACLs that requests pick from, as `permissions scheme:id`; "default" sends none. */
const aclTexts: Record<string, readonly string[]> = {
  open: ["31 world:anyone"],
  readable: ["1 world:anyone", "31 digest:bob:B"],
  own: ["31 auth:"],
  bobsWithoutDelete: ["23 digest:bob:B", "31 digest:alice:A", "31 digest:alice:A"],
  network: ["31 ip:10.0.0.0/8", "5 ip:2001:db8::/32"],
  noAdmin: ["15 world:anyone"],
  empty: [],
  wrong: ["31 world:everyone"],
  noPermission: ["0 world:anyone"],
};

const names = ["a", "b", "c", "a!", "é", "s"];

const pathChoice: fc.Arbitrary<PathChoice> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("existing" as const), pick: fc.nat(1000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("with children" as const), pick: fc.nat(1000) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("below" as const),
      pick: fc.nat(1000),
      name: fc.constantFrom(...names),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("literal" as const),
      path: fc.constantFrom("/", "/w", "/a", "/b", "/a/b", "/a/b/c", "/missing/x", "/zookeeper", "/zookeeper/config"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("literal" as const),
      path: fc.constantFrom("", "a", "/a/", "//", "/a/.", "/a\u0000", `/${"x".repeat(1024)}`),
    }),
  },
);

const version = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom<VersionChoice>("any", "right") },
  { weight: 1, arbitrary: fc.constantFrom<VersionChoice>("wrong", "minus one") },
);

const data = fc.oneof(
  { weight: 1, arbitrary: fc.constant(null) },
  { weight: 4, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 1, arbitrary: fc.nat(3000).map((length) => new Uint8Array(length).fill(length)) },
);

const acl = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom("default", "open") },
  { weight: 6, arbitrary: fc.constantFrom("readable", "own", "bobsWithoutDelete", "network", "noAdmin") },
  { weight: 1, arbitrary: fc.constantFrom("empty", "wrong", "noPermission") },
);

const mode = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(1, 1, 2, 3, 4) },
  { weight: 1, arbitrary: fc.constantFrom(0, 5, 1.5) },
);

const operation: fc.Arbitrary<OperationChoice> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("create" as const),
      path: pathChoice,
      mode,
      acl,
      data,
      slash: fc.nat(9).map((n) => n === 0),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("delete" as const), path: pathChoice, version }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("setData" as const), path: pathChoice, version, data }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("setAcl" as const), path: pathChoice, version, acl }) },
);

const multiOperation: fc.Arbitrary<OperationChoice> = fc.oneof(
  { weight: 6, arbitrary: operation },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("check" as const),
      path: pathChoice,
      version,
      exists: fc.boolean(),
    }),
  },
);

const request: fc.Arbitrary<RequestChoice> = fc.oneof(
  { weight: 12, arbitrary: operation },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("deleteSubtree" as const),
      path: fc.oneof(fc.record({ kind: fc.constant("with children" as const), pick: fc.nat(1000) }), pathChoice),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("multi" as const),
      operations: fc.array(multiOperation, { maxLength: 5 }),
    }),
  },
);

const by = fc.nat(callers.length - 1);

/** Fewer are applied than are prepared, until once in a while many are. */
const applied = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 3 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 40 }) },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 40,
    arbitrary: fc.record({ kind: fc.constant("request" as const), by, request, elapsed: fc.nat(3) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("endSession" as const), by, expired: fc.boolean() }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("apply" as const), count: applied }) },
  { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
);

const history = fc.array(step, { minLength: 1, maxLength: 70, size: "max" });

// ---- the tree as plain values, to be compared

interface Dumped {
  readonly path: string;
  readonly data: string | null;
  readonly acl: string;
  readonly stat: ModelStat;
  readonly lastRow: number;
  readonly descendants: number;
  readonly children: readonly string[];
}

interface Dump {
  readonly znodes: readonly Dumped[];
  readonly ephemerals: readonly (readonly string[])[];
}

function hex(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString("hex");
}

/** A Stat as the contract shows it. */
function visible(stat: Stat): ModelStat {
  return {
    czxid: stat.czxid,
    mzxid: stat.mzxid,
    pzxid: stat.pzxid,
    ctime: stat.ctime,
    mtime: stat.mtime,
    version: stat.version,
    cversion: cversion(stat),
    aversion: stat.aversion,
    ephemeralOwner: stat.owner,
    dataLength: stat.dataLength,
    numChildren: stat.children,
    nextSequence: stat.sequence,
  };
}

function dumpModel(model: ReferenceModel, sessions: readonly number[]): Dump {
  const znodes = model.subtree("/").map((path): Dumped => {
    const { data: bytes, lastRow } = model.znodes.get(path)!;
    const children = model.children(path);
    const descendants = model.subtree(path).length - 1;
    return { path, data: hex(bytes), acl: model.aclText(path), stat: model.stat(path), lastRow, descendants, children };
  });
  return { znodes, ephemerals: sessions.map((session) => model.ephemeralsOf(session)) };
}

function dumpTree(tree: Tree, sessions: readonly number[]): Dump {
  const znodes: Dumped[] = [];
  tree.walk("/", undefined, (slot, path) => {
    const children: string[] = [];
    tree.forEachChildAfter(slot, "", (child) => {
      children.push(tree.name(child));
      return true;
    });
    znodes.push({
      path,
      data: hex(tree.data(slot)),
      acl: tree.acls.text(tree.acl(slot)),
      stat: visible(tree.readStat(slot, emptyStat())),
      lastRow: tree.rowZxid(slot),
      descendants: tree.descendants(slot),
      children,
    });
    return "descend";
  });
  const ephemerals = sessions.map((session) => [...tree.ephemeralsOf(session)].map((slot) => tree.path(slot)).sort());
  return { znodes, ephemerals };
}

/** The events that watches see in rows. */
function eventsOf(zxid: number, ops: readonly TxnOp[]): ModelEvent[] {
  const events: ModelEvent[] = [];
  for (const { kind, path } of ops) {
    if (kind === OpKind.create) events.push({ kind: "created", path, zxid });
    if (kind === OpKind.delete) events.push({ kind: "deleted", path, zxid });
    if (kind === OpKind.setData) events.push({ kind: "dataChanged", path, zxid });
  }
  return events;
}

// ---- running one history

/** What is put to the test; the planted bugs replace parts of it. */
interface Implementation {
  emptyTree(): Tree;
  preparer(tree: Tree): Preparer;
  transport(txn: Txn): Txn;
}

const options = { creatorOwned: true };

const production: Implementation = {
  emptyTree: () => new Tree(),
  preparer: (tree) => new Preparer(tree, options),
  transport: (txn) => {
    const writer = new ByteWriter();
    encodeTxn(txn, writer);
    const reader = new ByteReader(writer.copy());
    const received = decodeTxn(reader);
    expect(reader.done).toBe(true);
    expect(received).toEqual(txn);
    return received;
  },
};

class History {
  private readonly implementation: Implementation;
  private readonly model = new ReferenceModel(options);
  private leader: Tree;
  private preparer: Preparer;
  /** Another replica: applies what came through the codec. */
  private follower: Tree;
  private zxid = 0;
  private time = 1_700_000_000_000;
  /** Prepared, not applied; each with the model as it was right after. */
  private readonly ahead: { txn: Txn; after: ReferenceModel }[] = [];
  private readonly sessions = callers.map((each, index) => (each.session ? 1000 + index : 0));
  private readonly everySession = this.sessions.filter((session) => session !== 0);
  /** For the report of a failure. */
  readonly transcript: string[] = [];
  /** What happened, by name. */
  readonly happened = new Set<string>();

  constructor(implementation: Implementation) {
    this.implementation = implementation;
    this.leader = this.loaded(Tree.initial());
    this.preparer = implementation.preparer(this.leader);
    this.follower = this.loaded(this.leader);
    this.prepareExtremes();
  }

  private loaded(from: Tree): Tree {
    return loadFrom(from, this.implementation.emptyTree());
  }

  /** `/w`: versions about to wrap, sequence numbers about to need an eleventh digit. */
  private prepareExtremes(): void {
    this.request(0, { kind: "create", path: "/w", data: new Uint8Array(3), mode: 1, acl: resolveAcl("open") });
    this.apply(1);
    const extremes = { version: -3, aversion: 2147483646, sequence: 9_999_999_998 };
    this.leader = loadFrom(this.leader, this.implementation.emptyTree(), (row) =>
      row.name === "w" ? { ...row, stat: { ...row.stat, ...extremes } } : row,
    );
    this.preparer = this.implementation.preparer(this.leader);
    this.follower = this.loaded(this.leader);
    const { version: wrapping, aversion, sequence } = extremes;
    Object.assign(this.model.znodes.get("/w")!, {
      version: wrapping,
      aversion,
      childrenCreated: sequence,
      childrenDeleted: sequence,
    });
  }

  run(steps: readonly Step[]): void {
    for (const each of steps) this.step(each);
    this.transcript.push("the end");
    this.apply(this.ahead.length);
    this.verify();
  }

  private step(each: Step): void {
    switch (each.kind) {
      case "request": {
        this.time += each.elapsed;
        const { request: choice } = each;
        if (choice.kind !== "check") this.request(each.by, this.resolve(choice, each.by));
        return;
      }
      case "endSession":
        this.endSession(each.by, each.expired);
        return;
      case "apply":
        this.apply(each.count);
        this.verify();
        return;
      case "restart":
        this.restart();
        return;
    }
  }

  private caller(index: number): Caller {
    return caller(this.sessions[index]!, ...callers[index]!.identities);
  }

  private stamp(): TxnStamp {
    this.zxid++;
    return { zxid: this.zxid, time: this.time };
  }

  private request(index: number, wanted: WriteRequest): void {
    const asking = this.caller(index);
    this.transcript.push(`${index} ${describeRequest(wanted)}`);
    const expected = this.model.run(wanted, asking, { zxid: this.zxid + 1, time: this.time });
    this.note(wanted, expected);
    const problem = requestProblem(wanted, asking.identities);
    if (problem !== undefined || (!expected.ok && expected.malformed)) {
      expect(outcomeOf(problem)).toEqual(expected.ok ? "accepted" : outcomeOfModel(expected));
      return;
    }
    const stamp = this.stamp();
    const prepared = this.preparer.prepare(wanted, asking, stamp);
    if (isRefusal(prepared)) {
      expect(outcomeOf(prepared)).toEqual(expected.ok ? "accepted" : outcomeOfModel(expected));
      const rejected = { ...blankOp(OpKind.rejected, "", emptyStat()), ...rejection(prepared) };
      this.propose([rejected], requestKindOf(wanted), asking);
      return;
    }
    expect(expected.ok ? "accepted" : outcomeOfModel(expected)).toBe("accepted");
    if (!expected.ok) return;
    this.compareRows(prepared, expected.rows, expected.events);
    this.propose(prepared, requestKindOf(wanted), asking);
  }

  private note(wanted: WriteRequest, result: ModelResult): void {
    if (result.ok) {
      this.happened.add(`${wanted.kind} succeeded`);
      for (const { kind } of wanted.kind === "multi" ? wanted.operations : []) this.happened.add(`multi with ${kind}`);
      if (result.rows.length > 2) this.happened.add(`${wanted.kind} of several rows`);
    } else {
      this.happened.add(`${wanted.kind} ${result.malformed ? "malformed" : "refused"}: ${result.reason}`);
      if ((result.failedOp ?? 0) > 1) this.happened.add("multi rolled back");
    }
    if (this.ahead.length > 20) this.happened.add("many ahead");
  }

  private endSession(index: number, expired: boolean): void {
    const session = this.sessions[index]!;
    if (session === 0) return;
    this.transcript.push(`${index} ends its session`);
    const stamp = this.stamp();
    const expected = this.model.endSession(session, stamp);
    const ops = this.preparer.endSession(session, expired, stamp);
    if (ops.length > 1) this.happened.add("a session with ephemerals ended");
    this.compareRows(ops, expected.rows, expected.events);
    this.sessions[index] = 1000 + stamp.zxid * 10;
    this.everySession.push(this.sessions[index]);
    // The replica puts the end of the session itself before them.
    const end = { ...blankOp(OpKind.closeSession, "", emptyStat()), detail: "{}" };
    this.propose([end, ...ops], expired ? RequestKind.expireSession : RequestKind.closeSession, this.caller(index));
  }

  private compareRows(ops: readonly TxnOp[], rows: readonly ModelRow[], events: readonly ModelEvent[]): void {
    const { overlay } = this.preparer;
    const found = ops.map((op): ModelRow => {
      const about = op.znode !== 0;
      const structural = op.kind === OpKind.create || op.kind === OpKind.delete;
      return {
        path: op.path,
        stat: about ? visible(op.stat) : null,
        acl: about ? overlay.aclText(op.acl) : null,
        parentAcl: structural ? overlay.aclText(op.parentAcl) : null,
        previousRow: op.prevZxid,
      };
    });
    expect(found).toEqual(rows);
    expect(eventsOf(this.zxid, ops)).toEqual(events);
  }

  private propose(ops: TxnOp[], kind: number, asking: Caller): void {
    const { session, who } = asking;
    const { zxid, time } = this;
    const txn: Txn = { zxid, epoch: 3, time, session, seq: 0, acked: 0, fingerprint: 0, who, request: kind, ops };
    this.ahead.push({ txn, after: this.model.snapshot() });
  }

  /** Applies the oldest transactions held back, on both replicas. */
  private apply(count: number): void {
    const batch = this.ahead.splice(0, count);
    this.transcript.push(`applies ${batch.length}, ${this.ahead.length} stay ahead`);
    for (const { txn } of batch) {
      const received = this.implementation.transport(txn);
      for (const op of txn.ops) this.leader.apply(txn.zxid, op);
      for (const op of txn.ops) this.preparer.applied(txn.zxid, op);
      for (const op of received.ops) this.follower.apply(txn.zxid, op);
      expect(this.follower.digest).toBe(this.leader.digest);
    }
    const last = batch.at(-1);
    if (last === undefined) return;
    const expected = dumpModel(last.after, this.everySession);
    expect(dumpTree(this.leader, this.everySession)).toEqual(expected);
    expect(dumpTree(this.follower, this.everySession)).toEqual(expected);
    if (this.ahead.length === 0) expect(this.preparer.overlay.size).toBe(0);
  }

  private verify(): void {
    this.leader.verify();
    this.follower.verify();
  }

  /** Everybody loads what a checkpoint would hold, by rows or by chunks; a new reign begins. */
  private restart(): void {
    this.apply(this.ahead.length);
    this.transcript.push("restarts");
    const { digest } = this.leader;
    this.leader = this.loaded(this.leader);
    this.follower = adoptFrom(this.follower, this.implementation.emptyTree(), 7);
    expect([this.leader.digest, this.follower.digest]).toEqual([digest, digest]);
    this.preparer = this.implementation.preparer(this.leader);
    this.verify();
  }

  // ---- from choices to requests

  private resolve(choice: Exclude<RequestChoice, { kind: "check" }>, index: number): WriteRequest {
    if (choice.kind === "deleteSubtree") return { kind: "deleteSubtree", path: resolvePath(choice.path, this.model) };
    if (choice.kind !== "multi") return resolveOperation(choice, this.model) as WriteRequest;
    // Each operation is chosen knowing what those before it do.
    const scratch = this.model.snapshot();
    const operations = choice.operations.map((each) => {
      const chosen = resolveOperation(each, scratch);
      scratch.run({ kind: "multi", operations: [chosen] }, this.caller(index), {
        zxid: this.zxid + 1,
        time: this.time,
      });
      return chosen;
    });
    return { kind: "multi", operations };
  }
}

function resolvePath(choice: PathChoice, model: ReferenceModel): string {
  if (choice.kind === "literal") return choice.path;
  let paths = [...model.znodes.keys()];
  if (choice.kind === "with children") {
    const parents = paths.filter((each) => each.lastIndexOf("/") > 0).map(parentPath);
    paths = parents.filter((each) => each !== "/zookeeper").concat("/w");
  }
  const picked = paths[choice.pick % paths.length]!;
  if (choice.kind !== "below") return picked;
  return picked === "/" ? `/${choice.name}` : `${picked}/${choice.name}`;
}

function resolveOperation(choice: OperationChoice, model: ReferenceModel): MultiOperation {
  const path = resolvePath(choice.path, model);
  const znode = model.znodes.get(path);
  switch (choice.kind) {
    case "create": {
      const created: CreateRequest = {
        kind: "create",
        path: choice.slash ? `${path}/` : path,
        data: choice.data,
        mode: choice.mode,
        acl: resolveAcl(choice.acl),
      };
      return created;
    }
    case "delete":
      return { kind: "delete", path, version: resolveVersion(choice.version, znode?.version) };
    case "setData":
      return { kind: "setData", path, data: choice.data, version: resolveVersion(choice.version, znode?.version) };
    case "setAcl": {
      const wanted = resolveVersion(choice.version, znode?.aversion);
      return { kind: "setAcl", path, acl: resolveAcl(choice.acl) ?? resolveAcl("open")!, version: wanted };
    }
    case "check": {
      const wanted = resolveVersion(choice.version, znode?.version);
      return { kind: "check", path, version: wanted, exists: wanted !== null || choice.exists };
    }
  }
}

function resolveVersion(choice: VersionChoice, actual = 0): number | null {
  if (choice === "any") return null;
  if (choice === "minus one") return -1;
  return choice === "right" ? actual : actual + 1;
}

function resolveAcl(name: string): Acl | null {
  return (
    aclTexts[name]?.map((text) => {
      const [permissions, who] = text.split(" ");
      return { permissions: Number(permissions), ...identity(who!) };
    }) ?? null
  );
}

function outcomeOf(refused: { reason: string; metadata: Readonly<Record<string, string>> } | undefined): string {
  if (refused === undefined) return "accepted";
  return `${refused.reason} ${refused.metadata.operation ?? "-"}`;
}

function outcomeOfModel(refused: { reason: string; failedOp: number | undefined }): string {
  return `${refused.reason} ${refused.failedOp ?? "-"}`;
}

function describeRequest(wanted: WriteRequest): string {
  return JSON.stringify(wanted, (_, value: unknown) => (value instanceof Uint8Array ? `${value.length} bytes` : value));
}

function historyProperty(implementation: Implementation): fc.IProperty<[Step[]]> {
  return fc.property(history, (steps) => {
    const run = new History(implementation);
    try {
      run.run(steps);
    } catch (error) {
      const told = error instanceof Error ? error.message : String(error);
      throw new Error(`${told}\n\nHistory:\n  ${run.transcript.join("\n  ")}`, { cause: error });
    }
  });
}

describe("random histories", () => {
  it("give the results, the rows and the tree that the reference model gives", { timeout: 3_600_000 }, () => {
    fc.assert(historyProperty(production), { numRuns: runs, ...(seed === undefined ? {} : { seed: Number(seed) }) });
  });
});

it("random histories reach what there is to reach", { timeout: 60_000 }, () => {
  const happened = new Set<string>();
  for (const steps of fc.sample(history, { numRuns: 150, seed: 1 })) {
    const run = new History(production);
    run.run(steps);
    for (const each of run.happened) happened.add(each);
  }
  const refused: Record<string, readonly string[]> = {
    create: ["SESSION_REQUIRED", "NO_NODE", "NO_AUTH", "NODE_EXISTS", "NO_CHILDREN_FOR_EPHEMERALS"],
    delete: ["NO_NODE", "NO_AUTH", "BAD_VERSION", "NOT_EMPTY"],
    deleteSubtree: ["NO_NODE", "NO_AUTH"],
    setData: ["NO_NODE", "NO_AUTH", "BAD_VERSION"],
    setAcl: ["NO_NODE", "NO_AUTH", "BAD_VERSION"],
    multi: ["SESSION_REQUIRED", "NO_NODE", "NO_AUTH", "NODE_EXISTS", "BAD_VERSION", "NOT_EMPTY"],
  };
  for (const [kind, reasons] of Object.entries(refused)) {
    expect(happened).toContain(`${kind} succeeded`);
    expect(happened).toContain(`${kind} malformed: BAD_ARGUMENTS`);
    for (const reason of reasons) expect(happened).toContain(`${kind} refused: ${reason}`);
  }
  for (const kind of ["create", "delete", "setData", "setAcl", "check"])
    expect(happened).toContain(`multi with ${kind}`);
  for (const kind of ["create", "setAcl", "multi"]) expect(happened).toContain(`${kind} malformed: INVALID_ACL`);
  const others = ["multi of several rows", "deleteSubtree of several rows", "multi rolled back", "many ahead"];
  for (const each of [...others, "a session with ephemerals ended"]) expect(happened).toContain(each);
});

// ---- bugs planted on purpose: the property must find each

class ForgetsPzxidOnDelete extends Tree {
  override apply(zxid: number, op: TxnOp): void {
    if (op.kind !== OpKind.delete) return super.apply(zxid, op);
    const parent = this.parent(this.find(op.path));
    super.apply(this.readStat(parent, emptyStat()).pzxid, op);
  }
}

class IgnoresThePipeline extends Preparer {
  private readonly committed: Tree;

  constructor(tree: Tree) {
    super(tree, options);
    this.committed = tree;
  }

  override prepare(wanted: WriteRequest, by: Caller, stamp: TxnStamp): Prepared {
    return new Preparer(this.committed, options).prepare(wanted, by, stamp);
  }
}

class MultiWithoutRollback extends Preparer {
  override prepare(wanted: WriteRequest, by: Caller, stamp: TxnStamp): Prepared {
    this.overlay.rollBack = () => this.overlay.commit();
    return super.prepare(wanted, by, stamp);
  }
}

class ForgetsLaterWrites extends Preparer {
  override applied(zxid: number, op: TxnOp): void {
    super.applied(zxid, op);
    (this.overlay as unknown as { entries: Map<string, unknown> }).entries.delete(op.path);
  }
}

class CountsSequentialOnly extends Preparer {
  override prepare(wanted: WriteRequest, by: Caller, stamp: TxnStamp): Prepared {
    const prepared = super.prepare(wanted, by, stamp);
    if (wanted.kind !== "create" || wanted.mode > 2 || isRefusal(prepared)) return prepared;
    const parent = this.overlay.get(parentPath(wanted.path))!;
    parent.stat.sequence--;
    this.overlay.put(parentPath(wanted.path), parent, stamp.zxid);
    return prepared;
  }
}

class IgnoresVersions extends Preparer {
  override prepare(wanted: WriteRequest, by: Caller, stamp: TxnStamp): Prepared {
    return super.prepare("version" in wanted ? { ...wanted, version: null } : wanted, by, stamp);
  }
}

class TrustsEverybody extends Preparer {
  override prepare(wanted: WriteRequest, by: Caller, stamp: TxnStamp): Prepared {
    return super.prepare(wanted, { ...by, identities: [...by.identities, { scheme: "digest", id: "bob:B" }] }, stamp);
  }
}

class LosesEphemeralsOnClose extends Preparer {
  override endSession(): TxnOp[] {
    return [];
  }
}

const planted: readonly (readonly [string, Partial<Implementation>])[] = [
  ["a tree that forgets pzxid on delete", { emptyTree: () => new ForgetsPzxidOnDelete() }],
  ["a preparer that ignores the pipeline", { preparer: (tree) => new IgnoresThePipeline(tree) }],
  ["a multi that leaves its first half behind", { preparer: (tree) => new MultiWithoutRollback(tree, options) }],
  ["an overlay that forgets later writes", { preparer: (tree) => new ForgetsLaterWrites(tree, options) }],
  ["sequences that plain creates do not advance", { preparer: (tree) => new CountsSequentialOnly(tree, options) }],
  ["writes that ignore the expected version", { preparer: (tree) => new IgnoresVersions(tree, options) }],
  ["a caller with somebody else's identity", { preparer: (tree) => new TrustsEverybody(tree, options) }],
  ["a close that leaves ephemerals", { preparer: (tree) => new LosesEphemeralsOnClose(tree, options) }],
  [
    "a codec that turns no data into empty data",
    {
      transport: (txn) => ({
        ...txn,
        ops: txn.ops.map((op) => (op.kind === OpKind.create ? { ...op, data: op.data ?? new Uint8Array(0) } : op)),
      }),
    },
  ],
];

describe("the comparison with the model can fail: it finds", () => {
  for (const [bug, parts] of planted) {
    it(bug, { timeout: 60_000 }, () => {
      const found = fc.check(historyProperty({ ...production, ...parts }), { numRuns: 1500, endOnFailure: true });
      expect(found.failed).toBe(true);
      // A comparison or an invariant failed; the planted code did not just crash.
      const { cause } = found.errorInstance as Error;
      expect((cause as Error).name).toBe("AssertionError");
    });
  }
});
