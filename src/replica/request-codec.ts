/**
 * What a follower asks its leader for its clients, as bytes. All that is asked in one turn travels together.
 *
 *   requests = format count (4 bytes, low first) first-ticket request*
 *   request  = kind …, see below; the n-th one has the ticket first-ticket + n, by which the leader answers it
 *
 * Canonical: one list of requests has one encoding. Whoever reads it trusts nothing: DecodeError for anything that is
 * not an encoding; what it says is then checked by the leader as if a client had said it.
 */
import { assert } from "../base/assert.ts";
import { DecodeError, type ByteReader, type ByteWriter } from "../base/bytes.ts";
import { reasonNumber, reasonOfNumber, type Refusal } from "../base/reasons.ts";
import type { AclEntry, Identity } from "../tree/acl.ts";
import type { CheckRequest, MultiOperation, WriteRequest } from "../tree/request.ts";
import type { AttachNumber } from "./live-session.ts";
import type { Opening } from "./session-keeper.ts";

/** A write. `stream` names the stream it came on, else 0, and session (0 for none) and identities follow. */
export interface WriteAsked {
  readonly kind: "write";
  readonly stream: number;
  readonly session: number;
  /** Identities besides those of the session. */
  readonly identities: readonly Identity[];
  readonly seq: number;
  readonly acked: number;
  readonly fingerprint: number;
  readonly request: WriteRequest;
}

/** A stream that has a session, or wants it. `number`: the one it was given before, if any. */
export interface AttachAsked {
  readonly kind: "attach";
  readonly stream: number;
  readonly session: number;
  readonly identities: readonly Identity[];
  readonly number: AttachNumber | undefined;
}

/** Sessions heard of, with the acknowledgements of their clients. `proof`: whether an answer is wanted. */
export interface TouchAsked {
  readonly kind: "touch";
  readonly proof: boolean;
  readonly sessions: readonly { readonly session: number; readonly acked: number }[];
}

export type LearnerRequest =
  | WriteAsked
  | { readonly kind: "open"; readonly opening: Opening; readonly who: string }
  | { readonly kind: "close"; readonly session: number }
  | AttachAsked
  /** A stream is gone. Not answered. */
  | { readonly kind: "detach"; readonly stream: number }
  | { readonly kind: "readIndex" }
  | TouchAsked
  | { readonly kind: "outcome"; readonly session: number; readonly secretHash: string; readonly seq: number }
  /** The digest of everything replicated, as of a transaction. Not answered. */
  | { readonly kind: "digest"; readonly zxid: number; readonly digest: number };

const format = 1;

const Kind = {
  write: 1,
  open: 2,
  close: 3,
  attach: 4,
  detach: 5,
  readIndex: 6,
  touch: 7,
  outcome: 8,
  digest: 9,
} as const;

const Operation = { create: 1, delete: 2, deleteSubtree: 3, setData: 4, setAcl: 5, check: 6, multi: 7 } as const;

/** Begins a list; `endRequests` completes it. */
export function beginRequests(writer: ByteWriter, firstTicket: number): void {
  writer.reset();
  writer.byte(format);
  writer.fixed32(0);
  writer.varint(firstTicket);
}

export function endRequests(writer: ByteWriter, count: number): void {
  const end = writer.length;
  writer.length = 1;
  writer.fixed32(count);
  writer.length = end;
}

/** The head of a list: how many requests, and the ticket of the first. */
export function decodeHead(reader: ByteReader): { count: number; firstTicket: number } {
  const found = reader.byte();
  if (found !== format) throw new DecodeError(`unknown format ${found} of requests`);
  const count = reader.fixed32();
  const firstTicket = reader.varint();
  return { count, firstTicket };
}

export function encodeRequest(request: LearnerRequest, writer: ByteWriter): void {
  writer.byte(Kind[request.kind]);
  switch (request.kind) {
    case "write":
      encodeWrite(request, writer);
      return;
    case "open": {
      const { opening, who } = request;
      writer.string(opening.clientKey);
      writer.string(opening.secretHash);
      writer.varint(opening.timeoutMs);
      encodeIdentities(opening.identities, writer);
      writer.string(who);
      return;
    }
    case "close":
      writer.varint(request.session);
      return;
    case "attach":
      writer.varint(request.stream);
      writer.varint(request.session);
      encodeIdentities(request.identities, writer);
      writer.byte(request.number === undefined ? 0 : 1);
      if (request.number !== undefined) {
        writer.varint(request.number.epoch);
        writer.varint(request.number.count);
      }
      return;
    case "detach":
      writer.varint(request.stream);
      return;
    case "readIndex":
      return;
    case "touch":
      writer.byte(request.proof ? 1 : 0);
      writer.varint(request.sessions.length);
      for (const { session, acked } of request.sessions) {
        writer.varint(session);
        writer.varint(acked);
      }
      return;
    case "outcome":
      writer.varint(request.session);
      writer.string(request.secretHash);
      writer.varint(request.seq);
      return;
    case "digest":
      writer.varint(request.zxid);
      writer.varint(request.digest);
      return;
  }
}

/** Reads one request; data are views into the reader's bytes. Throws DecodeError. */
export function decodeRequest(reader: ByteReader): LearnerRequest {
  const kind = reader.byte();
  switch (kind) {
    case Kind.write:
      return decodeWrite(reader);
    case Kind.open: {
      const opening = {
        clientKey: reader.string(),
        secretHash: reader.string(),
        timeoutMs: reader.varint(),
        identities: decodeIdentities(reader),
      };
      return { kind: "open", opening, who: reader.string() };
    }
    case Kind.close:
      return { kind: "close", session: reader.varint() };
    case Kind.attach: {
      const stream = reader.varint();
      const session = reader.varint();
      const identities = decodeIdentities(reader);
      const number = flag(reader) ? { epoch: reader.varint(), count: reader.varint() } : undefined;
      return { kind: "attach", stream, session, identities, number };
    }
    case Kind.detach:
      return { kind: "detach", stream: reader.varint() };
    case Kind.readIndex:
      return { kind: "readIndex" };
    case Kind.touch: {
      const proof = flag(reader);
      const sessions = decodeList(reader, () => ({ session: reader.varint(), acked: reader.varint() }));
      return { kind: "touch", proof, sessions };
    }
    case Kind.outcome:
      return { kind: "outcome", session: reader.varint(), secretHash: reader.string(), seq: reader.varint() };
    case Kind.digest:
      return { kind: "digest", zxid: reader.varint(), digest: reader.varint() };
    default:
      throw new DecodeError(`unknown kind ${kind} of request`);
  }
}

function encodeWrite(write: WriteAsked, writer: ByteWriter): void {
  writer.varint(write.stream);
  if (write.stream === 0) {
    writer.varint(write.session);
    encodeIdentities(write.identities, writer);
  }
  writer.varint(write.seq);
  writer.varint(write.acked);
  writer.varint(write.fingerprint);
  const { request } = write;
  if (request.kind !== "multi") encodeOperation(request, writer);
  else {
    writer.byte(Operation.multi);
    writer.byte(request.problem === undefined ? 0 : 1);
    if (request.problem !== undefined) encodeRefusal(request.problem, writer);
    writer.varint(request.operations.length);
    for (const operation of request.operations) encodeOperation(operation, writer);
  }
}

function decodeWrite(reader: ByteReader): WriteAsked {
  const stream = reader.varint();
  const session = stream === 0 ? reader.varint() : 0;
  const identities = stream === 0 ? decodeIdentities(reader) : none;
  const seq = reader.varint();
  const acked = reader.varint();
  const fingerprint = reader.varint();
  return { kind: "write", stream, session, identities, seq, acked, fingerprint, request: decodeWriteRequest(reader) };
}

function decodeWriteRequest(reader: ByteReader): WriteRequest {
  const kind = reader.byte();
  if (kind !== Operation.multi) {
    const operation = decodeOperation(kind, reader);
    if (operation.kind === "check") throw new DecodeError("a check outside of a multi");
    return operation;
  }
  const problem = flag(reader) ? decodeRefusal(reader) : undefined;
  const operations = decodeList(reader, () => {
    const operation = decodeOperation(reader.byte(), reader);
    if (operation.kind === "deleteSubtree") throw new DecodeError("the deletion of a subtree inside of a multi");
    return operation;
  });
  return problem === undefined ? { kind: "multi", operations } : { kind: "multi", operations, problem };
}

type SingleRequest = Exclude<WriteRequest, { kind: "multi" }> | CheckRequest;

function encodeOperation(operation: SingleRequest | MultiOperation, writer: ByteWriter): void {
  writer.byte(Operation[operation.kind]);
  writer.string(operation.path);
  switch (operation.kind) {
    case "create":
      encodeData(operation.data, writer);
      writer.varint(operation.mode);
      writer.byte(operation.acl === null ? 0 : 1);
      if (operation.acl !== null) encodeAcl(operation.acl, writer);
      return;
    case "delete":
      encodeVersion(operation.version, writer);
      return;
    case "deleteSubtree":
      return;
    case "setData":
      encodeData(operation.data, writer);
      encodeVersion(operation.version, writer);
      return;
    case "setAcl":
      encodeAcl(operation.acl, writer);
      encodeVersion(operation.version, writer);
      return;
    case "check":
      encodeVersion(operation.version, writer);
      writer.byte(operation.exists ? 1 : 0);
      return;
  }
}

function decodeOperation(kind: number, reader: ByteReader): SingleRequest {
  if (kind < Operation.create || kind > Operation.check) throw new DecodeError(`unknown kind ${kind} of operation`);
  const path = reader.string();
  switch (kind) {
    case Operation.create: {
      const data = decodeData(reader);
      const mode = reader.varint();
      return { kind: "create", path, data, mode, acl: flag(reader) ? decodeAcl(reader) : null };
    }
    case Operation.delete:
      return { kind: "delete", path, version: decodeVersion(reader) };
    case Operation.deleteSubtree:
      return { kind: "deleteSubtree", path };
    case Operation.setData: {
      const data = decodeData(reader);
      return { kind: "setData", path, data, version: decodeVersion(reader) };
    }
    case Operation.setAcl: {
      const acl = decodeAcl(reader);
      return { kind: "setAcl", path, acl, version: decodeVersion(reader) };
    }
    default: {
      const version = decodeVersion(reader);
      return { kind: "check", path, version, exists: flag(reader) };
    }
  }
}

function encodeData(data: Uint8Array | null, writer: ByteWriter): void {
  writer.byte(data === null ? 0 : 1);
  if (data !== null) writer.lengthPrefixed(data);
}

function decodeData(reader: ByteReader): Uint8Array | null {
  return flag(reader) ? reader.lengthPrefixed() : null;
}

function encodeVersion(version: number | null, writer: ByteWriter): void {
  writer.byte(version === null ? 0 : 1);
  if (version !== null) writer.signed(version);
}

function decodeVersion(reader: ByteReader): number | null {
  return flag(reader) ? reader.signed() : null;
}

function encodeAcl(acl: readonly AclEntry[], writer: ByteWriter): void {
  writer.varint(acl.length);
  for (const { permissions, scheme, id } of acl) {
    writer.varint(permissions);
    writer.string(scheme);
    writer.string(id);
  }
}

function decodeAcl(reader: ByteReader): AclEntry[] {
  return decodeList(reader, () => ({
    permissions: reader.varint(),
    scheme: reader.string(),
    id: reader.string(),
  }));
}

const none: readonly Identity[] = [];

function encodeIdentities(identities: readonly Identity[], writer: ByteWriter): void {
  writer.varint(identities.length);
  for (const { scheme, id } of identities) {
    writer.string(scheme);
    writer.string(id);
  }
}

function decodeIdentities(reader: ByteReader): Identity[] {
  return decodeList(reader, () => ({ scheme: reader.string(), id: reader.string() }));
}

/** A refusal, as it goes in both directions. Half surrogate pairs in its texts are replaced. */
export function encodeRefusal(problem: Refusal, writer: ByteWriter): void {
  writer.varint(reasonNumber(problem.reason));
  writer.string(problem.message.toWellFormed());
  const metadata = Object.entries(problem.metadata);
  writer.varint(metadata.length);
  for (const [key, value] of metadata) {
    writer.string(key.toWellFormed());
    writer.string(value.toWellFormed());
  }
}

export function decodeRefusal(reader: ByteReader): Refusal {
  const reason = reasonOfNumber(reader.varint());
  if (reason === undefined) throw new DecodeError("unknown reason");
  const message = reader.string();
  const pairs = decodeList(reader, () => [reader.string(), reader.string()] as const);
  const metadata = Object.fromEntries(pairs);
  const keys = Object.keys(metadata);
  if (pairs.some(([key], index) => keys[index] !== key)) throw new DecodeError("a key is there twice or out of place");
  return { reason, message, metadata };
}

export function flag(reader: ByteReader): boolean {
  const value = reader.byte();
  if (value > 1) throw new DecodeError("a flag is neither 0 nor 1");
  return value === 1;
}

/** A list with its length before it. A length that lies runs into the end of the bytes: each entry takes one at least. */
export function decodeList<T>(reader: ByteReader, decode: () => T): T[] {
  const count = reader.varint();
  const list: T[] = [];
  for (let index = 0; index < count; index++) {
    const before = reader.at;
    list.push(decode());
    assert(reader.at > before, "an entry of a list takes a byte at least");
  }
  return list;
}

/** Whether every text of a request can be encoded: half a surrogate pair cannot. */
export function isEncodable(request: WriteRequest): boolean {
  return request.kind === "multi" ? request.operations.every(isOperationEncodable) : isOperationEncodable(request);
}

function isOperationEncodable(operation: SingleRequest | MultiOperation): boolean {
  if (!operation.path.isWellFormed()) return false;
  if (!("acl" in operation) || operation.acl === null) return true;
  return operation.acl.every(({ scheme, id }) => scheme.isWellFormed() && id.isWellFormed());
}
