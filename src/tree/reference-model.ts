/**
 * A second, naive tree: what ZooKeeper's rules and the contract promise, written down as plainly as possible and
 * without a look at the implementation. A map from path to znode; every operation is one function; a multi copies the
 * world and puts it back when it fails. Tests hold the real tree against it. Nothing in production uses it.
 */
import type { Reason } from "../base/reasons.ts";
import type { Acl, AclEntry, Identity } from "./acl.ts";
import type {
  CheckRequest,
  CreateRequest,
  DeleteRequest,
  DeleteSubtreeRequest,
  MultiOperation,
  SetAclRequest,
  SetDataRequest,
  WriteRequest,
} from "./request.ts";

/** What a caller may see of one znode besides its data and ACL. */
export interface ModelStat {
  czxid: number;
  mzxid: number;
  pzxid: number;
  ctime: number;
  mtime: number;
  version: number;
  cversion: number;
  aversion: number;
  ephemeralOwner: number;
  dataLength: number;
  numChildren: number;
  nextSequence: number;
}

export interface ModelZnode {
  data: Uint8Array | null;
  acl: Acl;
  czxid: number;
  mzxid: number;
  pzxid: number;
  ctime: number;
  mtime: number;
  version: number;
  aversion: number;
  /** 0 for a persistent znode. */
  owner: number;
  childrenCreated: number;
  childrenDeleted: number;
  /** The last transaction that has a row about this znode: it was created, or its data or ACL was set. */
  lastRow: number;
}

export interface ModelEvent {
  readonly kind: "created" | "deleted" | "dataChanged";
  readonly path: string;
  readonly zxid: number;
}

export interface ModelCaller {
  readonly session: number;
  readonly identities: readonly Identity[];
}

/** What one operation answers, and what its row in the log says. */
export interface ModelRow {
  readonly path: string;
  /** After the operation; of a deletion just before. Null where a check found that there is nothing. */
  readonly stat: ModelStat | null;
  /** The ACL in force, like the Stat. */
  readonly acl: string | null;
  /** Creations and deletions. */
  readonly parentAcl: string | null;
  /** The transaction that had a row about this znode before; 0 for none. */
  readonly previousRow: number;
}

export type ModelResult =
  | { readonly ok: true; readonly rows: readonly ModelRow[]; readonly events: readonly ModelEvent[] }
  | {
      readonly ok: false;
      readonly reason: Reason;
      /** Refused for its form, before anyone looked at the tree. */
      readonly malformed: boolean;
      /** Index of the operation to blame, of a multi. */
      readonly failedOp: number | undefined;
    };

/** What an operation leaves behind besides the changed tree. */
interface Done {
  readonly rows: ModelRow[];
  /** In the order in which watches tell them. */
  readonly events: ModelEvent[];
}

interface Stamp {
  readonly zxid: number;
  readonly time: number;
}

type Operation = MultiOperation | DeleteSubtreeRequest;

/** Thrown by the operations below; `run` turns it into a result. */
class Refused extends Error {
  readonly reason: Reason;

  constructor(reason: Reason) {
    super(reason);
    this.reason = reason;
  }
}

const read = 1;
const write = 2;
const create = 4;
const remove = 8;
const admin = 16;
const everyPermission = 31;

const mebibyte = 1024 * 1024;

const openAcl: Acl = [{ permissions: everyPermission, scheme: "world", id: "anyone" }];
const undeletable = ["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"];

/** The modes, by the numbers of the contract. */
const modes = {
  1: { ephemeral: false, sequential: false },
  2: { ephemeral: true, sequential: false },
  3: { ephemeral: false, sequential: true },
  4: { ephemeral: true, sequential: true },
};

export class ReferenceModel {
  /** Everything there is, by path. */
  znodes = new Map<string, ModelZnode>();
  private readonly creatorOwned: boolean;

  constructor(options: { creatorOwned: boolean }) {
    this.creatorOwned = options.creatorOwned;
    const nobody = { zxid: 0, time: 0 };
    const readable: Acl = [{ permissions: read, scheme: "world", id: "anyone" }];
    this.znodes.set("/", { ...newZnode(null, openAcl, 0, nobody), childrenCreated: 1 });
    this.znodes.set("/zookeeper", { ...newZnode(null, openAcl, 0, nobody), childrenCreated: 2 });
    this.znodes.set("/zookeeper/config", newZnode(null, readable, 0, nobody));
    this.znodes.set("/zookeeper/quota", newZnode(null, openAcl, 0, nobody));
  }

  /** Carries a request out, or refuses it and changes nothing. */
  run(request: WriteRequest, caller: ModelCaller, stamp: Stamp): ModelResult {
    const operations: readonly Operation[] = request.kind === "multi" ? request.operations : [request];
    const before = this.copy();
    let at = 0;
    let malformed = true;
    const done: Done = { rows: [], events: [] };
    // A fault in the size of the whole multi cannot be blamed on one operation.
    let whole = false;
    try {
      if (request.kind === "multi") {
        whole = true;
        if (operations.length === 0) throw new Refused("BAD_ARGUMENTS");
        if (operations.length > 1000) throw new Refused("REQUEST_TOO_LARGE");
        whole = false;
      }
      for (; at < operations.length; at++) checkForm(operations[at]!, caller);
      if (request.kind === "multi") {
        whole = true;
        if (sum(operations.map(bytesOf)) > 2 * mebibyte) throw new Refused("REQUEST_TOO_LARGE");
        whole = false;
      }
      malformed = false;
      for (at = 0; at < operations.length; at++) this.runOne(operations[at]!, caller, stamp, done);
      return { ok: true, ...done };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.znodes = before;
      const failedOp = request.kind === "multi" && !whole ? at : undefined;
      return { ok: false, reason: error.reason, malformed, failedOp };
    }
  }

  /** The session ended: its ephemeral znodes go, in the byte order of their paths. */
  endSession(session: number, stamp: Stamp): Done {
    const done: Done = { rows: [], events: [] };
    for (const path of this.ephemeralsOf(session)) this.drop(path, stamp, done);
    return done;
  }

  // ---- looking

  stat(path: string): ModelStat {
    const znode = this.existing(path);
    const { czxid, mzxid, pzxid, ctime, mtime, version, aversion, childrenCreated, childrenDeleted } = znode;
    return {
      czxid,
      mzxid,
      pzxid,
      ctime,
      mtime,
      version,
      cversion: to32Bits(childrenCreated + childrenDeleted),
      aversion,
      ephemeralOwner: znode.owner,
      dataLength: znode.data === null ? 0 : znode.data.length,
      numChildren: this.children(path).length,
      nextSequence: childrenCreated,
    };
  }

  /** Names of the children, in byte order. */
  children(path: string): string[] {
    const prefix = path === "/" ? "/" : `${path}/`;
    const names: string[] = [];
    for (const other of this.znodes.keys()) {
      if (other === "/" || !other.startsWith(prefix)) continue;
      const rest = other.slice(prefix.length);
      if (!rest.includes("/")) names.push(rest);
    }
    return names.sort(byCodePoints);
  }

  /** The znode and everything below it, parents first, siblings in byte order. */
  subtree(path: string): string[] {
    const below = this.children(path).flatMap((name) => this.subtree(path === "/" ? `/${name}` : `${path}/${name}`));
    return [path, ...below];
  }

  ephemeralsOf(session: number): string[] {
    const paths: string[] = [];
    for (const [path, znode] of this.znodes) if (session !== 0 && znode.owner === session) paths.push(path);
    return paths.sort(byCodePoints);
  }

  aclText(path: string): string {
    const letters = ["r", "w", "c", "d", "a"];
    return this.existing(path)
      .acl.map(({ permissions, scheme, id }) => {
        const granted = letters.filter((_, bit) => Math.floor(permissions / 2 ** bit) % 2 === 1);
        return `${scheme}:${id}:${granted.join("")}`;
      })
      .join(", ");
  }

  copy(): Map<string, ModelZnode> {
    return new Map([...this.znodes].map(([path, znode]) => [path, { ...znode }]));
  }

  /** A model in the same state, to be looked at later. */
  snapshot(): ReferenceModel {
    const other = new ReferenceModel({ creatorOwned: this.creatorOwned });
    other.znodes = this.copy();
    return other;
  }

  // ---- operations; each checks in the order in which its errors win

  private runOne(operation: Operation, caller: ModelCaller, stamp: Stamp, done: Done): void {
    switch (operation.kind) {
      case "create":
        return this.create(operation, caller, stamp, done);
      case "delete":
        return this.delete(operation, caller, stamp, done);
      case "deleteSubtree":
        return this.deleteSubtree(operation, caller, stamp, done);
      case "setData":
        return this.setData(operation, caller, stamp, done);
      case "setAcl":
        return this.setAcl(operation, caller, stamp, done);
      case "check":
        return this.check(operation, caller, done);
    }
  }

  private create(request: CreateRequest, caller: ModelCaller, stamp: Stamp, done: Done): void {
    const mode = modes[request.mode as keyof typeof modes];
    if (mode.ephemeral && caller.session === 0) throw new Refused("SESSION_REQUIRED");
    if (request.path === "/" && !mode.sequential) throw new Refused("NODE_EXISTS");
    const parentPath = parentOf(request.path);
    const parent = this.znodes.get(parentPath);
    if (parent === undefined) throw new Refused("NO_NODE");
    if (!mayDo(caller, create, parent.acl)) throw new Refused("NO_AUTH");
    let path = request.path;
    if (mode.sequential) path += String(parent.childrenCreated).padStart(10, "0");
    if (!isGoodPath(path)) throw new Refused("BAD_ARGUMENTS");
    if (this.znodes.has(path)) throw new Refused("NODE_EXISTS");
    if (parent.owner !== 0) throw new Refused("NO_CHILDREN_FOR_EPHEMERALS");
    if (mode.ephemeral && this.ephemeralsOf(caller.session).length >= 10_000) throw new Refused("TOO_MANY_EPHEMERALS");
    const acl = request.acl === null ? this.defaultAcl(caller) : storedAcl(request.acl, caller);
    this.znodes.set(path, newZnode(request.data, acl, mode.ephemeral ? caller.session : 0, stamp));
    parent.childrenCreated += 1;
    parent.pzxid = stamp.zxid;
    done.events.push({ kind: "created", path, zxid: stamp.zxid });
    done.rows.push({ ...this.row(path, 0), parentAcl: this.aclText(parentPath) });
  }

  private defaultAcl(caller: ModelCaller): Acl {
    const authenticated = caller.identities.some(({ scheme }) => scheme !== "ip");
    if (!this.creatorOwned || !authenticated) return openAcl;
    return storedAcl([{ permissions: everyPermission, scheme: "auth", id: "" }], caller);
  }

  private delete(request: DeleteRequest, caller: ModelCaller, stamp: Stamp, done: Done): void {
    const parent = this.znodes.get(parentOf(request.path));
    if (parent === undefined) throw new Refused("NO_NODE");
    if (!mayDo(caller, remove, parent.acl)) throw new Refused("NO_AUTH");
    const znode = this.existing(request.path);
    if (request.version !== null && request.version !== znode.version) throw new Refused("BAD_VERSION");
    if (this.children(request.path).length > 0) throw new Refused("NOT_EMPTY");
    this.drop(request.path, stamp, done);
  }

  private deleteSubtree(request: DeleteSubtreeRequest, caller: ModelCaller, stamp: Stamp, done: Done): void {
    const parent = this.znodes.get(parentOf(request.path));
    if (parent === undefined) throw new Refused("NO_NODE");
    if (!mayDo(caller, remove, parent.acl)) throw new Refused("NO_AUTH");
    this.existing(request.path);
    const paths = this.subtree(request.path);
    if (paths.length > 10_000) throw new Refused("SUBTREE_TOO_LARGE");
    for (const path of paths) {
      if (this.children(path).length === 0) continue;
      if (!mayDo(caller, remove, this.existing(path).acl)) throw new Refused("NO_AUTH");
    }
    for (const path of paths.reverse()) this.drop(path, stamp, done);
  }

  private setData(request: SetDataRequest, caller: ModelCaller, stamp: Stamp, done: Done): void {
    const znode = this.existing(request.path);
    if (!mayDo(caller, write, znode.acl)) throw new Refused("NO_AUTH");
    if (request.version !== null && request.version !== znode.version) throw new Refused("BAD_VERSION");
    znode.data = request.data;
    znode.version = following(znode.version);
    znode.mzxid = stamp.zxid;
    znode.mtime = stamp.time;
    done.events.push({ kind: "dataChanged", path: request.path, zxid: stamp.zxid });
    done.rows.push(this.row(request.path, znode.lastRow));
    znode.lastRow = stamp.zxid;
  }

  private setAcl(request: SetAclRequest, caller: ModelCaller, stamp: Stamp, done: Done): void {
    const znode = this.existing(request.path);
    if (!mayDo(caller, admin, znode.acl)) throw new Refused("NO_AUTH");
    if (request.version !== null && request.version !== znode.aversion) throw new Refused("BAD_VERSION");
    znode.acl = storedAcl(request.acl, caller);
    znode.aversion = following(znode.aversion);
    done.rows.push(this.row(request.path, znode.lastRow));
    znode.lastRow = stamp.zxid;
  }

  private check(request: CheckRequest, caller: ModelCaller, done: Done): void {
    const mustExist = request.version !== null || request.exists;
    const znode = this.znodes.get(request.path);
    if (znode === undefined) {
      if (mustExist) throw new Refused("NO_NODE");
      done.rows.push({ path: request.path, stat: null, acl: null, parentAcl: null, previousRow: 0 });
      return;
    }
    if (!mayDo(caller, read, znode.acl)) throw new Refused("NO_AUTH");
    if (!mustExist) throw new Refused("NODE_EXISTS");
    if (request.version !== null && request.version !== znode.version) throw new Refused("BAD_VERSION");
    done.rows.push(this.row(request.path, znode.lastRow));
  }

  private drop(path: string, stamp: Stamp, done: Done): void {
    const parentPath = parentOf(path);
    done.rows.push({ ...this.row(path, this.existing(path).lastRow), parentAcl: this.aclText(parentPath) });
    done.events.push({ kind: "deleted", path, zxid: stamp.zxid });
    this.znodes.delete(path);
    const parent = this.existing(parentPath);
    parent.childrenDeleted += 1;
    parent.pzxid = stamp.zxid;
  }

  private row(path: string, previousRow: number): ModelRow {
    return { path, stat: this.stat(path), acl: this.aclText(path), parentAcl: null, previousRow };
  }

  private existing(path: string): ModelZnode {
    const znode = this.znodes.get(path);
    if (znode === undefined) throw new Refused("NO_NODE");
    return znode;
  }
}

function newZnode(data: Uint8Array | null, acl: Acl, owner: number, { zxid, time }: Stamp): ModelZnode {
  return {
    data,
    acl,
    czxid: zxid,
    mzxid: zxid,
    pzxid: zxid,
    ctime: time,
    mtime: time,
    version: 0,
    aversion: 0,
    owner,
    childrenCreated: 0,
    childrenDeleted: 0,
    lastRow: zxid,
  };
}

// ---- numbers

/** Versions are 32-bit numbers that wrap around and leave out -1. */
function following(version: number): number {
  if (version === 2147483647) return -2147483648;
  if (version === -2) return 0;
  return version + 1;
}

function to32Bits(value: number): number {
  const wrapped = value % 2 ** 32;
  return wrapped >= 2 ** 31 ? wrapped - 2 ** 32 : wrapped;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

// ---- form

/** What can be said against a request without looking at the tree. */
function checkForm(operation: Operation, caller: ModelCaller): void {
  let path = operation.path;
  if (operation.kind === "create") {
    if (!Object.hasOwn(modes, operation.mode)) throw new Refused("BAD_ARGUMENTS");
    // Checked with the shortest number it can get.
    if (modes[operation.mode as keyof typeof modes].sequential) path += "0000000000";
  }
  if (!isGoodPath(path)) throw new Refused("BAD_ARGUMENTS");
  if (operation.kind === "delete" || operation.kind === "deleteSubtree") {
    if (undeletable.includes(path)) throw new Refused("BAD_ARGUMENTS");
  }
  if (operation.kind === "create" && operation.acl !== null) storedAcl(operation.acl, caller);
  if (operation.kind === "setAcl") storedAcl(operation.acl, caller);
  if (operation.kind === "create" || operation.kind === "setData") {
    if (operation.data !== null && operation.data.length > mebibyte) throw new Refused("DATA_TOO_LARGE");
  }
}

function bytesOf(operation: Operation): number {
  const data = operation.kind === "create" || operation.kind === "setData" ? operation.data : null;
  return byteLength(operation.path) + (data === null ? 0 : data.length);
}

/** Control characters, surrogates and the private area, the specials: first and last of each range of UTF-16 units. */
const forbiddenInPaths: readonly (readonly [number, number])[] = [
  [0x0000, 0x001f],
  [0x007f, 0x009f],
  [0xd800, 0xf8ff],
  [0xfff0, 0xffff],
];

function hasUnitIn(text: string, ranges: readonly (readonly [number, number])[]): boolean {
  return text.split("").some((unit) => {
    const value = unit.charCodeAt(0);
    return ranges.some(([first, last]) => first <= value && value <= last);
  });
}

function isGoodPath(path: string): boolean {
  if (path === "/") return true;
  if (!path.startsWith("/")) return false;
  for (const element of path.slice(1).split("/")) {
    if (element === "" || element === "." || element === "..") return false;
    if (hasUnitIn(element, forbiddenInPaths)) return false;
  }
  return byteLength(path) <= 1024;
}

/** Bytes in UTF-8: each is one letter, or a %XX, of the escaped text. */
function byteLength(text: string): number {
  return encodeURIComponent(text).replace(/%[0-9A-F]{2}/g, "x").length;
}

function parentOf(path: string): string {
  const elements = path.split("/");
  elements.pop();
  return elements.length === 1 ? "/" : elements.join("/");
}

function byCodePoints(a: string, b: string): number {
  const left = [...a];
  const right = [...b];
  for (let i = 0; i < left.length && i < right.length; i++) {
    const difference = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!;
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

// ---- ACLs

/** Any entry that names any identity of the caller and has the permission; there is nothing that denies. */
function mayDo(caller: ModelCaller, permission: number, acl: Acl): boolean {
  return acl.some((entry) => {
    if (Math.floor(entry.permissions / permission) % 2 === 0) return false;
    if (entry.scheme === "world") return true;
    return caller.identities.some((identity) => {
      if (identity.scheme !== entry.scheme) return false;
      return entry.scheme === "ip" ? isInNetwork(identity.id, entry.id) : identity.id === entry.id;
    });
  });
}

/** The ACL as it is kept; refused when it is not well formed. */
function storedAcl(given: Acl, caller: ModelCaller): Acl {
  const stored: AclEntry[] = [];
  const keep = (entry: AclEntry): void => {
    const same = stored.find(
      ({ permissions, scheme, id }) => permissions === entry.permissions && scheme === entry.scheme && id === entry.id,
    );
    if (same === undefined) stored.push(entry);
  };
  if (given.length < 1 || given.length > 64) throw new Refused("INVALID_ACL");
  for (const { permissions, scheme, id } of given) {
    if (permissions < 1 || permissions > everyPermission) throw new Refused("INVALID_ACL");
    if (scheme === "auth") {
      const proved = caller.identities.filter((identity) => identity.scheme !== "ip");
      if (proved.length === 0) throw new Refused("INVALID_ACL");
      for (const identity of proved) {
        if (!isGoodId(identity.scheme, identity.id)) throw new Refused("INVALID_ACL");
        keep({ permissions, scheme: identity.scheme, id: identity.id });
      }
    } else {
      if (!isGoodId(scheme, id)) throw new Refused("INVALID_ACL");
      keep({ permissions, scheme, id });
    }
  }
  if (stored.length > 64) throw new Refused("INVALID_ACL");
  return stored;
}

function isGoodId(scheme: string, id: string): boolean {
  const points = [...id].map((character) => character.codePointAt(0)!);
  if (points.some((point) => 0xd800 <= point && point <= 0xdfff)) return false;
  const spacesAndControls = [[0x0000, 0x0020] as const, [0x007f, 0x007f] as const];
  if (hasUnitIn(id, spacesAndControls) || id.includes(",") || byteLength(id) > 256) return false;
  if (scheme === "world") return id === "anyone";
  if (scheme === "digest") return id.split(":").length === 2 && !id.startsWith(":") && !id.endsWith(":");
  if (scheme === "ip") return network(id) !== undefined;
  return false;
}

interface Network {
  readonly address: bigint;
  readonly width: number;
  readonly bits: number;
}

function isInNetwork(address: string, within: string): boolean {
  const one = network(address);
  const all = network(within);
  if (one === undefined || all === undefined || one.width !== all.width) return false;
  const ignored = BigInt(all.width - all.bits);
  return one.address >> ignored === all.address >> ignored;
}

function network(text: string): Network | undefined {
  const [address, bitsText, ...more] = text.split("/");
  if (address === undefined || more.length > 0) return undefined;
  const width = address.includes(":") ? 128 : 32;
  const value = width === 128 ? ipv6(address) : ipv4(address);
  if (value === undefined) return undefined;
  if (bitsText === undefined) return { address: value, width, bits: width };
  if (!/^[0-9]{1,3}$/.test(bitsText) || Number(bitsText) > width) return undefined;
  return { address: value, width, bits: Number(bitsText) };
}

function ipv4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || parts.some((part) => !/^[0-9]{1,3}$/.test(part) || Number(part) > 255)) return undefined;
  return parts.reduce((value, part) => value * 256n + BigInt(part), 0n);
}

function ipv6(text: string): bigint | undefined {
  // An IPv4 address may stand for the last two groups.
  const dotted = /^(.*:)([0-9.]*\.[0-9.]*)$/.exec(text);
  if (dotted !== null) {
    const last = ipv4(dotted[2]!);
    if (last === undefined) return undefined;
    return ipv6(`${dotted[1]!}${(last / 65536n).toString(16)}:${(last % 65536n).toString(16)}`);
  }
  const gap = text.split("::");
  if (gap.length > 2) return undefined;
  const groupsOf = (part: string): string[] => (part === "" ? [] : part.split(":"));
  let groups = groupsOf(gap[0]!);
  if (gap.length === 2) {
    const after = groupsOf(gap[1]!);
    if (groups.length + after.length > 7) return undefined;
    groups = [...groups, ...new Array<string>(8 - groups.length - after.length).fill("0"), ...after];
  }
  if (groups.length !== 8 || groups.some((group) => !/^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return groups.reduce((value, group) => value * 65536n + BigInt(`0x${group}`), 0n);
}
