/**
 * Which clients were heard of, for the leader, and what it proves: a heartbeat is answered only once a server that is
 * known to lead has received the touch, since only that keeps the session alive. Touches travel together, once a tick.
 */
import type { Refusal } from "../base/reasons.ts";
import type { LocalSession } from "./local-session.ts";

/** Told how long the session lives if it is not heard of again, or why that is not known. */
export type Proof = (remainingMs: number | Refusal) => void;

/** What waits for the leader's receipt. */
export interface ContactRound {
  readonly touched: readonly LocalSession[];
  readonly proofs: readonly { readonly local: LocalSession; readonly done: Proof }[];
}

export class Contact {
  private touched: LocalSession[] = [];
  private proofs: { local: LocalSession; done: Proof }[] = [];

  touch(local: LocalSession): void {
    if (local.isTouched) return;
    local.isTouched = true;
    this.touched.push(local);
  }

  /** Asks for a proof with the next round. */
  prove(local: LocalSession, done: Proof): void {
    this.proofs.push({ local, done });
  }

  /** What the leader is to be told; undefined when there is nothing. */
  takeRound(): ContactRound | undefined {
    const { touched, proofs } = this;
    if (touched.length === 0 && proofs.length === 0) return undefined;
    this.touched = [];
    this.proofs = [];
    for (const local of touched) local.isTouched = false;
    return { touched, proofs };
  }

  /** A round that no leader has proved to have received: the next one is told. */
  lost(round: ContactRound): void {
    for (const local of round.touched) this.touch(local);
    this.proofs = [...round.proofs, ...this.proofs];
  }

  /** There was no leader for too long, or this server stops. */
  refuseAll(problem: Refusal): void {
    const { proofs } = this;
    this.proofs = [];
    for (const { done } of proofs) done(problem);
  }
}
