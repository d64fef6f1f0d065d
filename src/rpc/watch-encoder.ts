/**
 * Encodes watch events. An event goes to many watches: its bytes are made once and kept until the next event, since all
 * watches of one event are told in a row.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { ZnodeSchema, CursorSchema } from "../../gen/ts/zabtree/v1/common_pb.js";
import { ByteWriter, utf8Length } from "../base/bytes.ts";
import type { Stat } from "../tree/stat.ts";
import { EventKind, type WatchEvent } from "../watches/watch-event.ts";
import { statMessage } from "./convert.ts";
import { statSize, writeLength, writeNumber, writeStat } from "./wire.ts";

let lastEvent: WatchEvent | undefined;
let lastBytes: Uint8Array = new Uint8Array(0);

/**
 * The WatchEvent message. Not to be changed or kept by the caller beyond copying it. An event about children has no
 * Stat: the row's is that of the child, which the watcher need not be allowed to read.
 */
export function encodeWatchEvent(event: WatchEvent): Uint8Array {
  if (event === lastEvent) return lastBytes;
  const { op, path } = event;
  const pathLength = utf8Length(path);
  const hasStat = event.kind !== EventKind.childrenChanged;
  const stat = hasStat ? statSize(op.stat) : 0;
  const data = event.includeData ? op.data : null;
  const writer = new ByteWriter(64 + pathLength + stat + (data?.length ?? 0));
  writeNumber(writer, 1, event.kind);
  writer.byte((2 << 3) | 2);
  writer.string(path);
  writeNumber(writer, 3, event.zxid);
  writeNumber(writer, 4, event.opIndex);
  if (hasStat) {
    writeLength(writer, 5, stat);
    writeStat(writer, op.stat);
  }
  if (data !== null) {
    writer.byte((6 << 3) | 2);
    writer.lengthPrefixed(data);
  }
  writeNumber(writer, 7, op.cause);
  writeNumber(writer, 8, event.session);
  lastEvent = event;
  lastBytes = writer.view();
  return lastBytes;
}

/** The Znode message of a walk. */
export function encodeZnode(path: string, stat: Stat, data: Uint8Array | null): Uint8Array {
  const message = create(ZnodeSchema, { path, stat: statMessage(stat), ...(data === null ? {} : { data }) });
  return toBinary(ZnodeSchema, message);
}

/** The Cursor message. */
export function encodeCursor(clusterId: string, zxid: number, opIndex: number): Uint8Array {
  return toBinary(CursorSchema, create(CursorSchema, { clusterId, zxid: BigInt(zxid), op: opIndex }));
}
