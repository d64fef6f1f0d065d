/** What servers do for their clients together. Faults of all kinds at random: src/sim. */
import { describe, expect, it } from "vitest";
import { EnsembleWorld } from "../../test/support/ensemble-world.ts";
import { getData } from "../../test/support/replica-world.ts";
import { create } from "../../test/support/tree-leader.ts";

describe("an ensemble", () => {
  it("is founded by three servers, and each of them serves reads and writes", () => {
    const world = EnsembleWorld.serving();
    expect(world.followers).toHaveLength(2);
    for (const server of world.servers) {
      const written = server.write(create(`/n${server.id}`));
      world.settle();
      expect(written.answers).toMatchObject([{ what: "committed", reason: "" }]);
      const read = server.read(getData(`/n${server.id}`));
      expect(read.answers).toMatchObject([{ what: "data" }]);
    }
    expect(new Set(world.servers.map(({ replica }) => replica.digest())).size).toBe(1);
  });
});
