/** The option that says how fresh a read must be. */
import { Option } from "commander";
import { Consistency } from "../client/index.ts";

export interface ConsistencyFlags {
  readonly consistency?: keyof typeof consistencies;
}

const consistencies = { linearizable: Consistency.LINEARIZABLE, sequential: Consistency.SEQUENTIAL } as const;

export function consistencyOption(): Option {
  return new Option(
    "--consistency <how>",
    "linearizable (default): everything acknowledged before; sequential: what this server has",
  ).choices(Object.keys(consistencies));
}

export function consistencyOf({ consistency }: ConsistencyFlags): Consistency {
  return consistency === undefined ? Consistency.UNSPECIFIED : consistencies[consistency];
}
