/**
 * The numbers that name things. All are plain JavaScript numbers, exact up to 2^53, branded so that one cannot be
 * passed for another; 0 always means "none".
 */
import { assert } from "./assert.ts";

/** Counts transactions 1, 2, 3 … over the life of an ensemble, never reset by a new epoch. */
export type Zxid = number & { readonly __brand: "Zxid" };

/** Counts reigns of leaders. A zxid that is not committed means nothing without the epoch of its transaction. */
export type Epoch = number & { readonly __brand: "Epoch" };

/** Names a server of the ensemble: 1 … 2^31 - 1. */
export type ServerId = number & { readonly __brand: "ServerId" };

/** Names a session: the zxid of the transaction that opened it. */
export type SessionId = number & { readonly __brand: "SessionId" };

/** Counts durable steps of one process. Only rises, so a completion that outlives a truncation is recognised. */
export type WriteId = number & { readonly __brand: "WriteId" };

function checked(value: number, what: string): number {
  assert(Number.isSafeInteger(value) && value >= 0, `${what} must be a whole number from 0 to 2^53 - 1`);
  return value;
}

export function zxid(value: number): Zxid {
  return checked(value, "zxid") as Zxid;
}

export function epoch(value: number): Epoch {
  return checked(value, "epoch") as Epoch;
}

export function serverId(value: number): ServerId {
  return checked(value, "server id") as ServerId;
}

export function sessionId(value: number): SessionId {
  return checked(value, "session id") as SessionId;
}

export function writeId(value: number): WriteId {
  return checked(value, "write id") as WriteId;
}

export const noZxid = 0 as Zxid;
export const noSession = 0 as SessionId;

export function nextZxid(value: Zxid): Zxid {
  return zxid(value + 1);
}
