/**
 * Reads the messages of a session stream. The requests that make up nearly all traffic are decoded by hand; the rest
 * goes through the generated code.
 */
import { fromBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { CreateRequestSchema } from "../../gen/ts/zabtree/v1/tree_pb.js";
import { SessionRequestSchema, type SessionRequest } from "../../gen/ts/zabtree/v1/session_pb.js";
import type { Refusal } from "../base/reasons.ts";
import type { Freshness, ReadRequest } from "../replica/read-request.ts";
import type { WatchSpec } from "../replica/watch-feeds.ts";
import type { WriteRequest } from "../tree/request.ts";
import {
  childrenRead,
  createMode,
  createRequest,
  deleteSubtreeRequest,
  ephemeralsRead,
  freshnessOf,
  InvalidMessage,
  multiRead,
  multiRequest,
  setAclRequest,
  toNumber,
  watchSpec,
} from "./convert.ts";
import { Wire, WireError, WireReader } from "./wire.ts";

/** What a stream is told by its messages, in order. */
export interface SessionRequests {
  attach(attach: { sessionId: number; secret: Uint8Array; lastZxid: number }): void;
  acknowledge(seq: number): void;
  write(call: number, request: WriteRequest, seq: number): void;
  read(call: number, request: ReadRequest, freshness: Freshness): void;
  addWatch(call: number, id: number, spec: WatchSpec): void;
  cancelWatch(call: number, id: number): void;
  closeSession(call: number): void;
  /** A request that cannot be understood. */
  refuse(call: number, problem: Refusal): void;
  heartbeat(id: number): void;
}

const sequential: Freshness = { linearizable: false, minZxid: 0 };

/** Fields of SessionRequest that are decoded by hand, and the range of its operations. */
const Field = { callId: 1, create: 2, delete: 3, exists: 5, getData: 6, setData: 7 } as const;
const firstOperation: number = Field.create;
const lastOperation = 19;

/** Reads one AttachSessionRequest. Throws WireError or InvalidMessage when it is not one. */
export function readSessionMessage(bytes: Buffer, to: SessionRequests): void {
  const reader = new WireReader(bytes);
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        readAttach(reader.message(), to);
        break;
      case 2:
        to.acknowledge(wholeNumber(reader.varint(), "acked_seq"));
        break;
      case 3: {
        const end = reader.length();
        readRequest(bytes, reader.at, end, to);
        reader.at = end;
        break;
      }
      case 4: {
        const heartbeat = reader.message();
        let id = 0;
        while (heartbeat.next()) {
          if (heartbeat.field === 1) id = heartbeat.varint();
          else heartbeat.skip();
        }
        to.heartbeat(wholeNumber(id, "id"));
        break;
      }
      default:
        reader.skip();
    }
  }
}

function readAttach(reader: WireReader, to: SessionRequests): void {
  let sessionId = 0;
  let secret: Uint8Array = new Uint8Array(0);
  let lastZxid = 0;
  while (reader.next()) {
    if (reader.field === 1) sessionId = wholeNumber(reader.varint(), "session_id");
    else if (reader.field === 2) secret = reader.bytes();
    else if (reader.field === 3) lastZxid = wholeNumber(reader.varint(), "last_zxid");
    else reader.skip();
  }
  to.attach({ sessionId, secret, lastZxid });
}

function wholeNumber(value: number, field: string): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidMessage(`${field} is out of range`, field);
  return value;
}

function readRequest(bytes: Buffer, start: number, end: number, to: SessionRequests): void {
  const reader = new WireReader(bytes, start, end);
  let call = 0;
  let field = 0;
  let at = 0;
  let until = 0;
  // The order of fields is up to the client, so the operation is read when all have been seen.
  while (reader.next()) {
    if (reader.field === Field.callId) call = wholeNumber(reader.varint(), "call_id");
    else if (reader.field < firstOperation || reader.field > lastOperation || reader.wireType !== Wire.bytes)
      reader.skip();
    else {
      field = reader.field;
      until = reader.length();
      at = reader.at;
      reader.at = until;
    }
  }
  try {
    switch (field) {
      case 0:
        throw new InvalidMessage("a request without an operation", "operation");
      case Field.getData:
      case Field.exists:
        readRead(new WireReader(bytes, at, until), field === Field.getData ? "data" : "exists", call, to);
        return;
      case Field.setData:
        readSetData(new WireReader(bytes, at, until), call, to);
        return;
      case Field.delete:
        readDelete(new WireReader(bytes, at, until), call, to);
        return;
      case Field.create:
        readCreate(bytes.subarray(at, until), call, to);
        return;
      default:
        readOther(bytes.subarray(start, end), call, to);
        return;
    }
  } catch (error) {
    if (!(error instanceof InvalidMessage)) throw error;
    to.refuse(call, error.refusal);
  }
}

function readRead(reader: WireReader, kind: "data" | "exists", call: number, to: SessionRequests): void {
  let path = "";
  let consistency = 0;
  let minZxid = 0;
  let watchId = 0;
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        path = reader.string();
        break;
      case 2:
        consistency = reader.int32();
        break;
      case 3:
        minZxid = wholeNumber(reader.varint(), "min_zxid");
        break;
      case 4:
        watchId = wholeNumber(reader.varint(), "watch_id");
        break;
      default:
        reader.skip();
    }
  }
  const freshness =
    consistency === 0 && minZxid === 0 ? sequential : freshnessOf({ consistency, minZxid: BigInt(minZxid) }, true);
  to.read(call, { kind, path, watchId }, freshness);
}

function readSetData(reader: WireReader, call: number, to: SessionRequests): void {
  let path = "";
  let data: Uint8Array | null = null;
  let version: number | null = null;
  let seq = 0;
  let acked = 0;
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        path = reader.string();
        break;
      case 2:
        data = reader.bytes();
        break;
      case 3:
        version = reader.int32();
        break;
      case 10:
        seq = wholeNumber(reader.varint(), "seq");
        break;
      case 11:
        acked = wholeNumber(reader.varint(), "acked_seq");
        break;
      default:
        reader.skip();
    }
  }
  to.acknowledge(acked);
  to.write(call, { kind: "setData", path, data, version }, seq);
}

function readDelete(reader: WireReader, call: number, to: SessionRequests): void {
  let path = "";
  let version: number | null = null;
  let seq = 0;
  let acked = 0;
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        path = reader.string();
        break;
      case 2:
        version = reader.int32();
        break;
      case 10:
        seq = wholeNumber(reader.varint(), "seq");
        break;
      case 11:
        acked = wholeNumber(reader.varint(), "acked_seq");
        break;
      default:
        reader.skip();
    }
  }
  to.acknowledge(acked);
  to.write(call, { kind: "delete", path, version }, seq);
}

/** A create with an ACL of its own goes through the generated code. */
function readCreate(bytes: Buffer, call: number, to: SessionRequests): void {
  const reader = new WireReader(bytes);
  let path = "";
  let data: Uint8Array | null = null;
  let mode = 0;
  let seq = 0;
  let acked = 0;
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        path = reader.string();
        break;
      case 2:
        data = reader.bytes();
        break;
      case 3:
        mode = reader.int32();
        break;
      case 4:
        readCreateWithAcl(bytes, call, to);
        return;
      case 10:
        seq = wholeNumber(reader.varint(), "seq");
        break;
      case 11:
        acked = wholeNumber(reader.varint(), "acked_seq");
        break;
      default:
        reader.skip();
    }
  }
  to.acknowledge(acked);
  to.write(call, { kind: "create", path, data, mode: createMode(mode), acl: null }, seq);
}

function readCreateWithAcl(bytes: Buffer, call: number, to: SessionRequests): void {
  const message = decode(CreateRequestSchema, bytes);
  writeNumbered(call, createRequest(message), message, to);
}

/** A request that is refused acknowledges nothing: everything is checked first. */
function writeNumbered(
  call: number,
  request: WriteRequest,
  numbers: { readonly seq: bigint; readonly ackedSeq: bigint },
  to: SessionRequests,
): void {
  const seq = toNumber(numbers.seq, "seq");
  to.acknowledge(toNumber(numbers.ackedSeq, "acked_seq"));
  to.write(call, request, seq);
}

function readOther(bytes: Buffer, call: number, to: SessionRequests): void {
  const message: SessionRequest = decode(SessionRequestSchema, bytes);
  const { operation } = message;
  switch (operation.case) {
    case "deleteSubtree":
    case "setAcl":
    case "multi": {
      const request =
        operation.case === "multi"
          ? multiRequest(operation.value)
          : operation.case === "setAcl"
            ? setAclRequest(operation.value)
            : deleteSubtreeRequest(operation.value);
      writeNumbered(call, request, operation.value, to);
      return;
    }
    case "listChildren":
      to.read(call, childrenRead(operation.value), freshnessOf(operation.value, true));
      return;
    case "countDescendants":
      to.read(call, { kind: "count", path: operation.value.path }, freshnessOf(operation.value, true));
      return;
    case "listEphemerals":
      to.read(call, ephemeralsRead(operation.value), freshnessOf(operation.value, true));
      return;
    case "getAcl":
      to.read(call, { kind: "acl", path: operation.value.path }, freshnessOf(operation.value, true));
      return;
    case "multiRead":
      to.read(call, multiRead(operation.value), freshnessOf(operation.value, true));
      return;
    case "sync":
      to.read(call, { kind: "sync" }, { linearizable: true, minZxid: 0 });
      return;
    case "whoAmI":
      to.read(call, { kind: "identities" }, sequential);
      return;
    case "addWatch":
      to.addWatch(call, toNumber(operation.value.watchId, "watch_id"), watchSpec(operation.value.spec));
      return;
    case "cancelWatch":
      to.cancelWatch(call, toNumber(operation.value.watchId, "watch_id"));
      return;
    case "closeSession":
      to.closeSession(call);
      return;
    default:
      throw new InvalidMessage("a request without an operation", "operation");
  }
}

/** The generated code tells malformed bytes by errors of several classes; invalid UTF-8 is a TypeError. */
function decode<Desc extends DescMessage>(schema: Desc, bytes: Uint8Array): MessageShape<Desc> {
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch (error) {
    throw new WireError("a message is malformed", { cause: error });
  }
}
