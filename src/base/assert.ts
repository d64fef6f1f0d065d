/** A bug of our own: a broken invariant. Never caught; ends the process. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Checks an invariant of our own code, in production too. Input from outside is validated, never asserted. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** The end of a switch over a union: compiles only when every case is handled. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}
