/** Scenarios in which something once went wrong, kept with their explicit faults. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Scenario } from "../../src/sim/fault.ts";
import { run } from "../../src/sim/run.ts";
import { programs, type ProgramName } from "../sim/programs.ts";

interface Kept {
  /** What went wrong at that time. */
  readonly fails: string;
  readonly program: ProgramName;
  readonly scenario: Scenario;
}

const directory = import.meta.dirname;
const names = readdirSync(directory).filter((name) => name.endsWith(".json"));

test.each(names)("%s", (name) => {
  const { program, scenario } = JSON.parse(readFileSync(join(directory, name), "utf8")) as Kept;
  expect(run(scenario, programs[program]).failure?.message).toBeUndefined();
});
