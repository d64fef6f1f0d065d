/** What the workloads have in common. */
import type { Report } from "./report.ts";

export interface Settings {
  /** A fresh directory for this workload. */
  readonly dataDir: string;
  readonly repetitions: number;
  readonly warmupSeconds: number;
  readonly seconds: number;
  /** Size of the large tree. */
  readonly znodes: number;
}

export interface Workload {
  readonly name: string;
  run(settings: Settings, report: Report): Promise<void>;
}
