/** What can run on simulated servers. */
import { recordProgram } from "../../src/sim/record-core.ts";
import { replicaProgram } from "../../src/sim/replica-core.ts";

export const programs = { replica: replicaProgram, records: recordProgram };
export type ProgramName = keyof typeof programs;
