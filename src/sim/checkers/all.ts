/** Every checker, and how facts reach those that want them. */
import type { Fact, FactKind } from "../facts.ts";
import type { Checker, Surroundings } from "./checker.ts";
import type { Txn } from "../../tree/txn.ts";
import { clientCheckers } from "./clients.ts";
import { countingCheckers } from "./counting.ts";
import { isExpiry, type Model } from "./model.ts";
import { persistenceCheckers } from "./persistence.ts";
import { sessionCheckers, treeCheckers } from "./tree.ts";
import { zabCheckers } from "./zab.ts";

export const checkers: readonly Checker[] = [
  ...zabCheckers,
  ...countingCheckers,
  ...persistenceCheckers,
  ...treeCheckers,
  ...sessionCheckers,
  ...clientCheckers,
];

type Handler = (fact: Fact) => void;

export class Judges {
  private readonly handlers = new Map<FactKind, Handler[]>();
  private readonly model: Model;

  constructor(judged: readonly Checker[], world: Surroundings, fail: (check: string, problem: string) => void) {
    this.model = world.model;
    for (const checker of judged) {
      const handlers = checker.begin((problem) => fail(checker.id, problem), world);
      for (const [kind, handler] of Object.entries(handlers) as [FactKind, Handler][]) {
        const known = this.handlers.get(kind) ?? [];
        if (known.length === 0) this.handlers.set(kind, known);
        known.push(handler);
      }
    }
  }

  see(fact: Fact): void {
    const handlers = this.handlers.get(fact.kind);
    if (handlers !== undefined) for (const handler of handlers) handler(fact);
    if (fact.kind === "txn") this.replay(fact.txn);
  }

  /** A transaction joins the model, row by row. */
  private replay(txn: Txn): void {
    const { model } = this;
    txn.ops.forEach((op, index) => {
      this.see({ kind: "op", txn, op, model });
      if (isExpiry(op)) this.see({ kind: "expired", session: txn.session, zxid: txn.zxid, epoch: txn.epoch });
      model.applyOp(txn, op, index);
    });
    model.applied(txn);
  }
}
