/** Checkpoints from one server to another, over connections of their own: in pieces, each with its CRC. */
import { crc32 } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { Metadata, type ServerWritableStream, type ServiceError } from "@grpc/grpc-js";
import {
  FetchSnapshotRequestSchema,
  FetchSnapshotResponseSchema,
  type PeerHello,
} from "../../gen/ts/zabtree/peer/v1/peer_pb.js";
import { refusal, type Refusal } from "../base/reasons.ts";
import { InvalidMessage, toNumber } from "../rpc/convert.ts";
import { decode } from "../rpc/peer-values.ts";
import { asBuffer } from "../rpc/service-definition.ts";
import { refusalOf, statusOf } from "../rpc/status.ts";
import { openPeerClient } from "./peer-channel.ts";
import type { PeerTls } from "./peer-tls.ts";

const chunkBytes = 256 * 1024;
/** What the sender may have under way, and what the receiver takes without having written it: bytes. */
const windowBytes = 2 * 1024 * 1024;
/** A fetch that gets nothing for so long is tried again, milliseconds. */
const silenceMs = 5000;
/** Attempts in a row that bring nothing, before a fetch fails. */
const fruitlessMax = 5;
const pauseMs = 200;

const fetchPath = "/zabtree.peer.v1.PeerService/FetchSnapshot";

/** A checkpoint that is held open: it stays readable, whatever takes its place in the directory. */
export interface OpenSnapshot {
  /** Length, bytes. */
  readonly bytes: number;
  /** Fewer bytes only at the end. */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): void;
}

/** Opens a checkpoint that was offered; undefined when it is there no longer. */
export type OpenSnapshotById = (id: string) => OpenSnapshot | undefined;

/** Answers one FetchSnapshot call. `admit` judges the hello. */
export async function serveSnapshot(
  call: ServerWritableStream<Buffer, Buffer>,
  admit: (hello: PeerHello | undefined) => Refusal | undefined,
  open: OpenSnapshotById,
): Promise<void> {
  const request = decode(FetchSnapshotRequestSchema, call.request);
  const problem = admit(request.hello);
  if (problem !== undefined) {
    call.emit("error", statusOf(problem));
    return;
  }
  const { snapshotId } = request;
  const snapshot = snapshotId.length > 200 ? undefined : open(snapshotId);
  if (snapshot === undefined) {
    const gone = refusal("SNAPSHOT_GONE", "that checkpoint is there no longer", {
      snapshot_id: snapshotId.slice(0, 200),
    });
    call.emit("error", statusOf(gone));
    return;
  }
  try {
    await sendFrom(call, snapshot, toNumber(request.offset, "offset"));
    call.end();
  } finally {
    snapshot.close();
  }
}

async function sendFrom(
  call: ServerWritableStream<Buffer, Buffer>,
  snapshot: OpenSnapshot,
  from: number,
): Promise<void> {
  if (from > snapshot.bytes) throw new InvalidMessage("the offset lies beyond the file", "offset");
  const gone = new Promise<void>((resolve) => {
    for (const event of ["cancelled", "close", "error"]) {
      call.once(event, () => {
        resolve();
      });
    }
  });
  const isGone = (): boolean => call.cancelled || call.destroyed;
  let inFlight = 0;
  let taken = (): void => undefined;
  for (let offset = from; offset < snapshot.bytes && !isGone();) {
    const content = await snapshot.read(offset, chunkBytes);
    if (content.length === 0) throw new Error("the checkpoint is shorter than its length");
    const response = create(FetchSnapshotResponseSchema, {
      offset: BigInt(offset),
      content,
      crc: crc32(content),
    });
    inFlight += content.length;
    call.write(asBuffer(toBinary(FetchSnapshotResponseSchema, response)), () => {
      inFlight -= content.length;
      taken();
    });
    offset += content.length;
    while (inFlight >= windowBytes && !isGone()) {
      const room = new Promise<void>((resolve) => (taken = resolve));
      await Promise.race([room, gone]);
    }
  }
}

export interface SnapshotFetch {
  readonly address: string;
  readonly member: number;
  readonly tls: PeerTls | undefined;
  hello(): PeerHello;
  readonly snapshotId: string;
  readonly bytes: number;
  /** Takes the next bytes, in order; the next ones wait for it. */
  write(content: Uint8Array): Promise<void>;
  readonly signal: AbortSignal;
}

/** Fetches a checkpoint; a connection that breaks is made again, and goes on where it broke. Throws when it fails. */
export async function fetchSnapshot(fetch: SnapshotFetch): Promise<void> {
  let offset = 0;
  for (let fruitless = 0; ;) {
    const before = offset;
    try {
      offset = await fetchFrom(fetch, offset);
      if (offset === fetch.bytes) return;
      throw new Error(`the checkpoint ended after ${offset} of ${fetch.bytes} bytes`);
    } catch (error) {
      if (error instanceof FetchBroken) offset = error.offset;
      else throw error;
      fruitless = offset > before ? 0 : fruitless + 1;
      if (fruitless >= fruitlessMax || fetch.signal.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

/** The connection broke; everything before `offset` has been written. */
class FetchBroken extends Error {
  override readonly name = "FetchBroken";
  readonly offset: number;

  constructor(offset: number, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.offset = offset;
  }
}

async function fetchFrom(fetch: SnapshotFetch, from: number): Promise<number> {
  const client = openPeerClient(fetch.address, fetch.member, fetch.tls, windowBytes);
  const request = create(FetchSnapshotRequestSchema, {
    hello: fetch.hello(),
    snapshotId: fetch.snapshotId,
    offset: BigInt(from),
  });
  const bytes = asBuffer(toBinary(FetchSnapshotRequestSchema, request));
  const call = client.makeServerStreamRequest<Buffer, Buffer>(fetchPath, asBuffer, asBuffer, bytes, new Metadata());
  call.on("error", () => undefined);
  const cancel = (): void => {
    call.cancel();
  };
  fetch.signal.addEventListener("abort", cancel);
  let silence = setTimeout(cancel, silenceMs);
  let offset = from;
  try {
    for await (const message of call) {
      clearTimeout(silence);
      const content = chunkOf(message as Buffer, offset, fetch.bytes);
      await fetch.write(content);
      offset += content.length;
      silence = setTimeout(cancel, silenceMs);
    }
    return offset;
  } catch (error) {
    if (error instanceof InvalidMessage) throw error;
    if (isCallError(error) && refusalOf(error)?.reason === undefined) throw new FetchBroken(offset, error);
    throw error;
  } finally {
    clearTimeout(silence);
    fetch.signal.removeEventListener("abort", cancel);
    call.cancel();
    client.close();
  }
}

function isCallError(error: unknown): error is ServiceError {
  return error instanceof Error && "metadata" in error && "details" in error;
}

function chunkOf(message: Buffer, expected: number, fileBytes: number): Uint8Array {
  const { offset, content, crc } = decode(FetchSnapshotResponseSchema, message);
  const problem =
    toNumber(offset, "offset") !== expected
      ? "is not the next one"
      : content.length === 0 || content.length > chunkBytes || expected + content.length > fileBytes
        ? "has a wrong length"
        : crc32(content) !== crc
          ? "is damaged"
          : undefined;
  if (problem !== undefined) throw new InvalidMessage(`a piece of the checkpoint ${problem}`, "content");
  return content;
}
