/** Every checker, and how facts reach those that want them. */
import type { Fact, FactKind } from "../facts.ts";
import type { Checker, Surroundings } from "./checker.ts";
import { persistenceCheckers } from "./persistence.ts";
import { zabCheckers } from "./zab.ts";

export const checkers: readonly Checker[] = [...zabCheckers, ...persistenceCheckers];

type Handler = (fact: Fact) => void;

export class Judges {
  private readonly handlers = new Map<FactKind, Handler[]>();

  constructor(judged: readonly Checker[], world: Surroundings, fail: (check: string, problem: string) => void) {
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
  }
}
