/**
 * ACLs: who may do what to a znode. Each distinct ACL is kept once, in a table that only grows, and znodes and log
 * rows name it by number.
 */
import { assert } from "../base/assert.ts";
import { utf8Length } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";

/** Bits of a permission set, as in ZooKeeper. */
export const Permissions = { read: 1, write: 2, create: 4, delete: 8, admin: 16, all: 31 } as const;

export interface AclEntry {
  readonly permissions: number;
  readonly scheme: string;
  readonly id: string;
}

export interface Identity {
  readonly scheme: string;
  readonly id: string;
}

export type Acl = readonly AclEntry[];

/** Number of the ACL that lets everyone do everything. */
export const openAclId = 1;
/** Number of the ACL that lets everyone read. */
export const readOnlyAclId = 2;

/** One line for people and for the log: `world:anyone:rwcda`, entries separated by commas and spaces. */
export function formatAcl(acl: Acl): string {
  return acl.map((entry) => `${entry.scheme}:${entry.id}:${formatPermissions(entry.permissions)}`).join(", ");
}

const letters = "rwcda";

export function formatPermissions(bits: number): string {
  return [...letters].filter((_, index) => (bits & (1 << index)) !== 0).join("");
}

/** The reverse of formatAcl; undefined when the text is malformed. */
export function parseAcl(text: string): Acl | undefined {
  const acl: AclEntry[] = [];
  for (const part of text.split(", ")) {
    const entry = parseAclEntry(part);
    if (entry === undefined) return undefined;
    acl.push(entry);
  }
  return acl;
}

/** Reads `scheme:id:permissions`; the id may itself contain colons. */
export function parseAclEntry(text: string): AclEntry | undefined {
  const first = text.indexOf(":");
  const last = text.lastIndexOf(":");
  if (first <= 0 || last <= first) return undefined;
  let permissions = 0;
  for (const letter of text.slice(last + 1)) {
    const index = letters.indexOf(letter);
    if (index < 0) return undefined;
    permissions |= 1 << index;
  }
  if (permissions === 0) return undefined;
  return { permissions, scheme: text.slice(0, first), id: text.slice(first + 1, last) };
}

/**
 * Checks an ACL given by a caller and brings it into the form that is stored: duplicates dropped, `auth` replaced by
 * the caller's authenticated identities. Returns what is wrong with it instead, as a string.
 */
export function normalizeAcl(given: Acl, caller: readonly Identity[]): Acl | string {
  if (given.length === 0) return "an ACL needs at least one entry";
  if (given.length > limits.aclEntries) return `an ACL has at most ${limits.aclEntries} entries`;
  const result: AclEntry[] = [];
  for (const entry of given) {
    if (entry.permissions <= 0 || (entry.permissions & ~Permissions.all) !== 0) {
      return "an ACL entry needs permissions among READ, WRITE, CREATE, DELETE and ADMIN";
    }
    if (entry.scheme === "auth") {
      // An address identifies a machine, not somebody: it does not count as authenticated.
      const authenticated = caller.filter((identity) => identity.scheme !== "ip");
      if (authenticated.length === 0) return "the auth scheme needs a caller with an authenticated identity";
      for (const { scheme, id } of authenticated) {
        const problem = identityProblem(scheme, id);
        if (problem !== undefined) return problem;
        addEntry(result, { permissions: entry.permissions, scheme, id });
      }
      continue;
    }
    const problem = identityProblem(entry.scheme, entry.id);
    if (problem !== undefined) return problem;
    addEntry(result, { permissions: entry.permissions, scheme: entry.scheme, id: entry.id });
  }
  // One entry of the auth scheme becomes as many as the caller has identities.
  if (result.length > limits.aclEntries) return `an ACL has at most ${limits.aclEntries} entries`;
  return result;
}

function addEntry(acl: AclEntry[], entry: AclEntry): void {
  const known = acl.some(
    (other) => other.permissions === entry.permissions && other.scheme === entry.scheme && other.id === entry.id,
  );
  if (!known) acl.push(entry);
}

/** Why an identity cannot stand in an ACL; undefined when it can. Whoever makes identities checks them with this. */
export function identityProblem(scheme: string, id: string): string | undefined {
  if (utf8Length(id) > limits.aclId) return `the id of an ACL entry must not exceed ${limits.aclId} bytes`;
  // A lone surrogate has no encoding that a replica would accept.
  if (/\p{Surrogate}/u.test(id)) return "the id of an ACL entry is not well-formed Unicode";
  // Ids are shown in one line of text, separated by ", ".
  for (let i = 0; i < id.length; i++) {
    const unit = id.charCodeAt(i);
    if (unit <= 0x20 || unit === 0x7f || unit === 0x2c) return "the id of an ACL entry has a space, comma or control";
  }
  switch (scheme) {
    case "world":
      return id === "anyone" ? undefined : "the world scheme has one id: anyone";
    case "digest":
      return /^[^:]+:[^:]+$/.test(id) ? undefined : "a digest id has the form user:base64(SHA1(user:password))";
    case "ip":
      return parseNetwork(id) === undefined ? "an ip id is an IPv4 or IPv6 address, with an optional /bits" : undefined;
    default:
      return `unknown ACL scheme ${JSON.stringify(scheme.slice(0, 32))}`;
  }
}

/** Whether an ACL grants any of `needed` (bits) to a caller. */
export function isGranted(acl: Acl, needed: number, caller: readonly Identity[]): boolean {
  for (const entry of acl) {
    if ((entry.permissions & needed) === 0) continue;
    if (entry.scheme === "world") return true;
    for (const identity of caller) if (identityMatches(entry, identity)) return true;
  }
  return false;
}

function identityMatches(entry: AclEntry, identity: Identity): boolean {
  if (entry.scheme !== identity.scheme) return false;
  if (entry.id === identity.id) return true;
  if (entry.scheme !== "ip") return false;
  const network = parseNetwork(entry.id);
  const address = parseNetwork(identity.id);
  if (network === undefined || address === undefined) return false;
  if (network.bytes.length !== address.bytes.length) return false;
  for (let bit = 0; bit < network.bits; bit += 8) {
    const mask = network.bits - bit >= 8 ? 0xff : (0xff << (8 - (network.bits - bit))) & 0xff;
    if (((network.bytes[bit >> 3]! ^ address.bytes[bit >> 3]!) & mask) !== 0) return false;
  }
  return true;
}

interface Network {
  readonly bytes: readonly number[];
  readonly bits: number;
}

/** An address with an optional number of significant bits; undefined when malformed. */
export function parseNetwork(text: string): Network | undefined {
  const at = text.indexOf("/");
  const bytes = parseAddress(at < 0 ? text : text.slice(0, at));
  if (bytes === undefined) return undefined;
  if (at < 0) return { bytes, bits: bytes.length * 8 };
  const digits = text.slice(at + 1);
  if (!/^\d{1,3}$/.test(digits)) return undefined;
  const bits = Number(digits);
  return bits <= bytes.length * 8 ? { bytes, bits } : undefined;
}

function parseAddress(text: string): number[] | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes: number[] = [];
  for (const part of parts) {
    if (!/^\d{1,3}$/.test(part) || Number(part) > 255) return undefined;
    bytes.push(Number(part));
  }
  return bytes;
}

function parseIpv6(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  if (halves.length === 2 && halves[0]!.includes(".")) return undefined;
  const head = ipv6Groups(halves[0]!);
  const tail = halves.length === 2 ? ipv6Groups(halves[1]!) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 2 ? missing < 2 : missing !== 0) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

function ipv6Groups(text: string): number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [index, group] of groups.entries()) {
    if (group.includes(".") && index === groups.length - 1) {
      const last = parseIpv4(group);
      if (last === undefined) return undefined;
      bytes.push(...last);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
      const value = parseInt(group, 16);
      bytes.push(value >> 8, value & 255);
    }
  }
  return bytes;
}

/** One ACL as the log and the checkpoint store it. */
export interface AclRow {
  readonly id: number;
  /** formatAcl of the entries. */
  readonly entries: string;
}

/** The ACLs of the ensemble. Part of the replicated state: numbers are given in transactions. */
export class AclTable {
  private readonly acls: (Acl | undefined)[] = [];
  private readonly texts: string[] = [];
  private readonly ids = new Map<string, number>();

  constructor() {
    this.add(openAclId, "world:anyone:rwcda");
    this.add(readOnlyAclId, "world:anyone:r");
  }

  /** The number of an ACL; undefined when it is new. */
  find(entries: string): number | undefined {
    return this.ids.get(entries);
  }

  get(id: number): Acl {
    const acl = this.acls[id];
    assert(acl !== undefined, "an ACL number is not in the table");
    return acl;
  }

  text(id: number): string {
    this.get(id);
    return this.texts[id]!;
  }

  add(id: number, entries: string): void {
    const acl = parseAcl(entries);
    assert(acl !== undefined, "a stored ACL is malformed");
    assert(id === this.nextId, "ACL numbers are given without gaps");
    this.acls[id] = acl;
    this.texts[id] = entries;
    this.ids.set(entries, id);
  }

  /** The number the next new ACL gets. */
  get nextId(): number {
    return Math.max(this.acls.length, 1);
  }

  /** All ACLs, in the order of their numbers. */
  rows(): AclRow[] {
    return this.texts.map((entries, id) => ({ id, entries })).slice(1);
  }

  allows(id: number, needed: number, caller: readonly Identity[]): boolean {
    // The open ACL is by far the most frequent: it is answered without looking at entries.
    return id === openAclId || isGranted(this.get(id), needed, caller);
  }
}
