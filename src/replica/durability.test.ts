import { describe, expect, it } from "vitest";
import { anyAge, bytes, exists, getData, World } from "../../test/support/replica-world.ts";
import { create, setData } from "../../test/support/tree-leader.ts";

describe("smoke", () => {
  it("boots", () => {
    const world = new World();
    expect(world.log.waiting).toEqual(["accept 1"]);
    world.persist();
    expect(world.log.waiting).toEqual(["establish 1"]);
    world.persist();
    expect(world.log.waiting).toEqual(["append 1-1"]);
    world.persist();
    expect(world.serving).toBe(true);
    const { stream, sink } = world.connect();
    stream.write(1, create("/a", { data: bytes("x") }), 1);
    stream.read(2, getData("/a"), anyAge);
    stream.read(3, exists("/b"), anyAge);
    world.settle();
    expect(sink.take()).toEqual(["attached 0", "1 ok @3", "2 ok @3", "3 ok @3"]);
    world.crash();
    world.settle();
    world.do(create("/b"));
    world.do(setData("/b"));
  });
});
