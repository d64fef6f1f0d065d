import type { LogSource } from "./txlog-source.ts";
export async function fileLog(dataDir: string): Promise<LogSource> {
  await Promise.resolve();
  throw new Error(`cannot read ${dataDir} yet`);
}
