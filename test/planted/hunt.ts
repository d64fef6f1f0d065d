/**
 * Runs the simulator's default workload, seed after seed, until one fails. Started by run.ts inside a scratch copy of the
 * tree, so that the simulator and the core it runs are those of that copy. Prints one line of JSON.
 */
import { replicaProgram } from "../../src/sim/replica-core.ts";
import { run } from "../../src/sim/run.ts";
import { drawScenario } from "../../src/sim/swarm.ts";

export interface Hunt {
  /** Seeds that were run to their end, or to their failure. */
  readonly seeds: number;
  readonly seed: number | undefined;
  readonly check: string;
  readonly message: string;
}

function hunt(first: number, last: number): Hunt {
  for (let seed = first; seed <= last; seed++) {
    const { failure } = run(drawScenario(String(seed)), replicaProgram);
    if (failure === undefined) continue;
    return { seeds: seed - first + 1, seed, check: failure.check, message: failure.message };
  }
  return { seeds: last - first + 1, seed: undefined, check: "", message: "" };
}

console.log(JSON.stringify(hunt(Number(process.argv[2]), Number(process.argv[3]))));
