/** A run as people read it: one line for each event, one column for each server. */
import type { Cluster, Tracer } from "./cluster.ts";

const width = 38;

export function traceTo(write: (line: string) => void): (cluster: Cluster) => Tracer {
  return (cluster) => ({
    line: (node, text) => {
      const time = cluster.virtualMs.toFixed(3).padStart(10);
      write(`${time}  ${" ".repeat(Math.max(0, node - 1) * width)}${node === 0 ? "** " : ""}${text}`);
    },
  });
}
