/**
 * What only some kinds of rows carry, as JSON that people can read in the log. Built here and nowhere else, with the
 * keys in a fixed order: the text is part of the canonical encoding.
 */
import { assert } from "../base/assert.ts";
import type { Refusal } from "../base/reasons.ts";
import { reasonNumber, reasonOfNumber } from "../base/reasons.ts";
import type { Identity } from "./acl.ts";
import type { TxnOp } from "./txn.ts";

/** found: the ensemble. */
export interface Founding {
  /** 32 hexadecimal digits. */
  readonly clusterId: string;
  readonly members: readonly Member[];
  /** The newest format of transactions that every member reads. */
  readonly featureLevel: number;
}

export interface Member {
  readonly id: number;
  readonly voter: boolean;
}

export function foundingDetail(founding: Founding): string {
  const members = founding.members.map(({ id, voter }) => ({ id, voter }));
  return JSON.stringify({ clusterId: founding.clusterId, members, featureLevel: founding.featureLevel });
}

export function parseFounding(detail: string): Founding {
  return JSON.parse(detail) as Founding;
}

/** openSession: what the opening fixes. */
export interface OpeningDetail {
  readonly timeoutMs: number;
  readonly clientKey: string;
  readonly secretHash: string;
  readonly identities: readonly Identity[];
}

export function openingDetail(opening: OpeningDetail): string {
  const { timeoutMs, clientKey, secretHash } = opening;
  const identities = opening.identities.map(({ scheme, id }) => ({ scheme, id }));
  return JSON.stringify({ timeoutMs, clientKey, secretHash, identities });
}

export function parseOpening(detail: string): OpeningDetail {
  return JSON.parse(detail) as OpeningDetail;
}

/** trim: the acknowledgements of sessions, as pairs of session and seq. */
export function trimDetail(acked: ReadonlyMap<number, number>): string {
  return JSON.stringify([...acked]);
}

export function parseTrim(detail: string): [number, number][] {
  return JSON.parse(detail) as [number, number][];
}

/** rejected: the row of a refusal. */
export function rejection(refusal: Refusal): { code: number; failedOp: number; detail: string } {
  const { operation, ...metadata } = refusal.metadata;
  return {
    code: reasonNumber(refusal.reason),
    failedOp: Number(operation ?? 0),
    detail: JSON.stringify({ message: refusal.message, multi: operation !== undefined, metadata }),
  };
}

/** The refusal that a rejected row stands for. */
export function refusalOfRow(op: TxnOp): Refusal {
  const reason = reasonOfNumber(op.code);
  assert(reason !== undefined, "a rejected row has an unknown code");
  const { message, multi, metadata } = JSON.parse(op.detail) as {
    message: string;
    multi: boolean;
    metadata: Record<string, string>;
  };
  return { reason, message, metadata: multi ? { ...metadata, operation: String(op.failedOp) } : metadata };
}
