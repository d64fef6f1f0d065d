/** Figures beside their goals: printed as they come, kept as JSON lines. */
import { appendFileSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";

export interface Goal {
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly goal?: Goal | undefined;
  /** One for each repetition; the median counts. */
  readonly values: readonly number[];
  /** What goes behind the figure in the table. */
  readonly remark?: string | undefined;
  /** Everything the repetitions measured. */
  readonly details?: unknown;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export class Report {
  met = 0;
  missed = 0;
  private readonly file: string | undefined;

  constructor(file: string | undefined, environment: object) {
    this.file = file;
    if (file !== undefined) writeFileSync(file, `${JSON.stringify({ environment })}\n`);
    print(["workload", "figure", "goal", "", "spread", "load"]);
  }

  add(figure: Figure): void {
    const { name, unit, goal, values, remark } = figure;
    const value = median(values);
    const met = goal === undefined ? undefined : value >= (goal.atLeast ?? 0) && value <= (goal.atMost ?? Infinity);
    if (met === true) this.met++;
    else if (met === false) this.missed++;
    const verdict = met === undefined ? "" : met ? "met" : "missed";
    const spread = values.length === 1 ? "" : `${show(Math.min(...values))}–${show(Math.max(...values))}`;
    const load = loadavg()[0]!.toFixed(1);
    print([name, `${show(value)} ${unit}`, goalText(goal), verdict, spread, load]);
    if (remark !== undefined) console.log(`  ${remark}`);
    if (this.file === undefined) return;
    appendFileSync(this.file, `${JSON.stringify({ ...figure, median: value, met, load: loadavg() })}\n`);
  }
}

function goalText(goal: Goal | undefined): string {
  if (goal?.atLeast !== undefined) return `≥ ${show(goal.atLeast)}`;
  if (goal?.atMost !== undefined) return `≤ ${show(goal.atMost)}`;
  return "";
}

function show(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
}

const widths = [38, 18, 12, 8, 20, 0];

function print(cells: readonly string[]): void {
  console.log(
    cells
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join(" ")
      .trimEnd(),
  );
}
