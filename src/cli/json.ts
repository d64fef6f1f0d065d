/** JSON as the command line prints it: one line, 64-bit numbers as numbers, bytes as base64. */
import type { Stat, ResponseHeader } from "../../gen/ts/zabtree/v1/common_pb.js";
import { ZnodeKind } from "../client/index.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === "bigint" ? exactNumber(item) : item));
}

/** Numbers above 2^53 would lose digits, and become strings. */
function exactNumber(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

/** The fields of a Stat, under the names of the contract. */
export function statJson(stat: Stat | undefined): JsonObject | null {
  if (stat === undefined) return null;
  return {
    czxid: stat.czxid,
    mzxid: stat.mzxid,
    pzxid: stat.pzxid,
    ctimeMs: stat.ctimeMs,
    mtimeMs: stat.mtimeMs,
    version: stat.version,
    cversion: stat.cversion,
    aversion: stat.aversion,
    ephemeralOwner: stat.ephemeralOwner,
    dataLength: stat.dataLength,
    numChildren: stat.numChildren,
    nextSequence: stat.nextSequence,
    kind: ZnodeKind[stat.kind],
  };
}

/** Data as base64 under `data`, null when there is none, and under `text` when it is valid UTF-8. */
export function dataJson(data: Uint8Array | undefined): JsonObject {
  if (data === undefined) return { data: null };
  const text = textOf(data);
  const encoded = Buffer.from(data).toString("base64");
  return text === undefined ? { data: encoded } : { data: encoded, text };
}

/** Where an answer came from. */
export function headerJson(header: ResponseHeader | undefined): JsonObject {
  return { zxid: header?.zxid };
}

/** The text that bytes are in UTF-8; undefined when they are none. */
export function textOf(data: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    return undefined;
  }
}
