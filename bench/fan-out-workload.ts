/** One change, many watchers. */
import { BenchServer, drive } from "./bench-server.ts";
import type { Workload } from "./workload.ts";

export const fanOut: Workload = {
  name: "fan-out",
  async run(settings, report) {
    const server = await BenchServer.start(settings.dataDir);
    const watchers = 1000;
    const { times } = await drive<{ times: number[] }>("fan-out.ts", { server: server.address, watchers });
    await server.end("SIGTERM");
    report.add({ name: "1,000 watchers told of a change", unit: "ms", goal: { atMost: 27 }, values: times });
  },
};
