/** Two servers' networks in one process: what is said arrives, what is wrong is refused, and nobody is waited for. */
import { once } from "node:events";
import { createServer, connect as connectTcp, type AddressInfo, type Socket } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { pino } from "pino";
import { afterEach, describe, expect, it } from "vitest";
import { ElectRequestSchema, FollowRequestSchema, PeerHelloSchema } from "../../gen/ts/zabtree/peer/v1/peer_pb.js";
import { helloMessage, type Hello } from "../rpc/peer-hello.ts";
import { refusalOf } from "../rpc/status.ts";
import type { LinkMessage, Notification } from "../zab/message.ts";
import type { Flushable } from "./core.ts";
import { GrpcPeerNetwork, type PeerInputs, type PeerNetworkOptions } from "./peer-network.ts";
import type { OpenSnapshot } from "./peer-snapshots.ts";

const clusterId = "0123456789abcdef0123456789abcdef";
const logger = pino({ level: "silent" });

type Input =
  | { readonly kind: "notified"; readonly from: number; readonly notification: Notification }
  | { readonly kind: "unreachable"; readonly from: number }
  | { readonly kind: "linkOpened"; readonly link: number; readonly from: number }
  | { readonly kind: "linkReceived"; readonly link: number; readonly message: LinkMessage }
  | { readonly kind: "linkClosed"; readonly link: number };

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (let run = cleanups.pop(); run !== undefined; run = cleanups.pop()) await run();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function until(what: string, look: () => boolean, timeoutMs = 8000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!look()) {
    if (performance.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A connection in between; `back` decides what comes back through it. */
async function proxyTo(
  target: string,
  back: (data: Buffer, upstream: Socket) => Buffer | undefined,
): Promise<{ address: string; sockets: Socket[] }> {
  const [host, port] = target.split(":");
  const sockets: Socket[] = [];
  const proxy = createServer((socket) => {
    const upstream = connectTcp(Number(port), host);
    sockets.push(socket, upstream);
    for (const end of [socket, upstream]) end.on("error", () => undefined);
    socket.on("close", () => upstream.destroy());
    upstream.on("close", () => socket.destroy());
    socket.on("data", (data: Buffer) => upstream.write(data));
    upstream.on("data", (data: Buffer) => {
      const passed = back(data, upstream);
      if (passed !== undefined) socket.write(passed);
    });
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  return { address: `127.0.0.1:${(proxy.address() as AddressInfo).port}`, sockets };
}

class Member implements PeerInputs {
  readonly inputs: Input[] = [];
  readonly network: GrpcPeerNetwork;
  snapshot: OpenSnapshot | undefined;
  private readonly dirty = new Set<Flushable>();

  constructor(id: number, others: ReadonlyMap<number, string>, options: Partial<PeerNetworkOptions> = {}) {
    this.network = new GrpcPeerNetwork({
      self: id,
      others,
      tls: undefined,
      logger,
      incarnation: 1000 + id,
      clusterId: () => clusterId,
      clientAddress: () => `127.0.0.1:${4000 + id}`,
      markDirty: (output) => {
        if (this.dirty.size === 0) setImmediate(() => this.turn());
        this.dirty.add(output);
      },
      inputs: this,
      openSnapshot: (name) => (name === "one" ? this.snapshot : undefined),
      ...options,
    });
    cleanups.push(() => this.network.stop());
  }

  private turn(): void {
    const outputs = [...this.dirty];
    this.dirty.clear();
    for (const output of outputs) output.flush();
  }

  notified(from: number, notification: Notification): void {
    this.inputs.push({ kind: "notified", from, notification });
  }

  unreachable(from: number): void {
    this.inputs.push({ kind: "unreachable", from });
  }

  linkOpened(link: number, from: number): void {
    this.inputs.push({ kind: "linkOpened", link, from });
  }

  linkReceived(link: number, message: LinkMessage): void {
    this.inputs.push({ kind: "linkReceived", link, message });
  }

  linkClosed(link: number): void {
    this.inputs.push({ kind: "linkClosed", link });
  }

  of<Kind extends Input["kind"]>(kind: Kind): Extract<Input, { kind: Kind }>[] {
    return this.inputs.filter((input): input is Extract<Input, { kind: Kind }> => input.kind === kind);
  }

  get received(): LinkMessage[] {
    return this.of("linkReceived").map(({ message }) => message);
  }
}

/** Two members that listen and call each other. */
async function pair(second: Partial<PeerNetworkOptions> = {}): Promise<[Member, Member, string, string]> {
  const [one, two] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const a = new Member(1, new Map([[2, two]]));
  const b = new Member(2, new Map([[1, one]]), second);
  await a.network.listen(one);
  await b.network.listen(two);
  a.network.start();
  b.network.start();
  return [a, b, one, two];
}

function notification(vote: number): Notification {
  return {
    clusterId,
    state: "looking",
    canLead: true,
    counts: true,
    currentEpoch: 1,
    last: { zxid: vote, epoch: 1 },
    vote,
    epoch: 0,
    hears: [],
    remembers: { zxid: 0, epoch: 0 },
    forming: undefined,
  };
}

describe("notifications", () => {
  it("reach the other side, the newest last, with the address for clients", async () => {
    const [a, b] = await pair();
    for (let vote = 1; vote <= 50; vote++) a.network.notify(2, notification(vote));
    await until("the last one arrives", () => b.of("notified").at(-1)?.notification.vote === 50);
    // Before the call was accepted the newest replaced the others.
    expect(b.of("notified").length).toBeLessThan(50);
    expect(b.of("notified").at(-1)).toEqual({ kind: "notified", from: 1, notification: notification(50) });
    expect(b.network.newsOf(1)).toMatchObject({ clientAddress: "127.0.0.1:4001", isConnected: true });
    await until("both know each other", () => a.network.newsOf(2)?.clientAddress === "127.0.0.1:4002");
  });

  it("go on after the other side was away, and that it is away is told at once", async () => {
    const [a, b, one] = await pair();
    a.network.notify(2, notification(1));
    await until("it arrives", () => b.of("notified").length > 0);
    await a.network.stop();
    await until("it is told", () => b.of("unreachable").length === 1, 500);
    b.network.notify(1, notification(7));
    const again = new Member(1, new Map([[2, b.network.newsOf(1)!.address]]), { incarnation: 77 });
    await again.network.listen(one);
    const started = performance.now();
    await until("the newest is told without asking", () => again.of("notified").at(-1)?.notification.vote === 7);
    expect(performance.now() - started).toBeLessThan(1500);
  });

  it("are heard although a large message is under way on a link", async () => {
    const [a, b] = await pair();
    const link = b.network.connect(1);
    await until("the link is open", () => a.of("linkOpened").length === 1);
    const bytes = new Uint8Array(16 * 1024 * 1024);
    a.network.send(a.of("linkOpened")[0]!.link, {
      type: "proposal",
      epoch: 1,
      bytes,
      firstZxid: 1,
      lastZxid: 1,
      committed: { zxid: 0, epoch: 0 },
    });
    a.network.notify(2, notification(3));
    await until("both have arrived", () => b.of("notified").length > 0 && b.received.length > 0);
    const kinds = b.inputs.map(({ kind }) => kind);
    expect(kinds.indexOf("notified")).toBeLessThan(kinds.indexOf("linkReceived"));
    expect(b.of("linkReceived")[0]!.link).toBe(link);
  });
});

describe("a link", () => {
  it("carries messages in order both ways, and ends for both", async () => {
    const [a, b] = await pair();
    const link = b.network.connect(1);
    // Said before it is open.
    for (let zxid = 1; zxid <= 10; zxid++) b.network.send(link, { type: "ackNewLeader", epoch: 1, zxid });
    await until("all arrive", () => a.received.length === 10);
    expect(a.of("linkOpened")).toMatchObject([{ from: 2 }]);
    expect(a.received.map((message) => "zxid" in message && message.zxid)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const back = a.of("linkOpened")[0]!.link;
    for (let zxid = 1; zxid <= 100; zxid++) {
      a.network.send(back, { type: "commit", epoch: 1, committed: { zxid, epoch: 1 } });
    }
    await until("all arrive", () => b.received.length === 100);
    a.network.close(back);
    await until("the learner is told", () => b.of("linkClosed").length === 1);
    expect(a.of("linkClosed")).toEqual([]);

    const second = b.network.connect(1);
    await until("it is open", () => a.of("linkOpened").length === 2);
    b.network.close(second);
    await until("the leader is told", () => a.of("linkClosed").length === 1);
    expect(b.of("linkClosed").length).toBe(1);
  });

  it("says only the last of several acknowledgements", async () => {
    const [a, b] = await pair();
    const link = b.network.connect(1);
    for (let zxid = 1; zxid <= 10; zxid++) b.network.send(link, { type: "ack", epoch: 1, zxid });
    b.network.send(link, { type: "pong", epoch: 1, round: 1, diskLow: false });
    b.network.send(link, { type: "ack", epoch: 1, zxid: 11 });
    b.network.send(link, { type: "ack", epoch: 2, zxid: 11 });
    await until("all arrive", () => a.received.length === 4);
    expect(a.received).toEqual([
      { type: "ack", epoch: 1, zxid: 10 },
      { type: "pong", epoch: 1, round: 1, diskLow: false },
      { type: "ack", epoch: 1, zxid: 11 },
      { type: "ack", epoch: 2, zxid: 11 },
    ]);
  });

  it("to a server that is not there ends at once", async () => {
    const b = new Member(2, new Map([[1, `127.0.0.1:${await freePort()}`]]));
    const started = performance.now();
    const link = b.network.connect(1);
    expect(b.inputs).toEqual([]);
    await until("it ends", () => b.of("linkClosed").length === 1);
    expect(performance.now() - started).toBeLessThan(500);
    expect(b.of("linkClosed")).toEqual([{ kind: "linkClosed", link }]);
    const nobody = b.network.connect(9);
    await until("it ends", () => b.of("linkClosed").at(-1)?.link === nobody);
  });

  it("to a server that says nothing ends", async () => {
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => sockets.add(socket)).listen(0, "127.0.0.1");
    await once(silent, "listening");
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const b = new Member(2, new Map([[1, `127.0.0.1:${(silent.address() as AddressInfo).port}`]]));
    b.network.connect(1);
    await until("it ends", () => b.of("linkClosed").length === 1, 4000);
  });

  it("to a learner that does not read is cut, with bounded memory", async () => {
    const one = `127.0.0.1:${await freePort()}`;
    const a = new Member(1, new Map([[2, "127.0.0.1:1"]]), { backlogMax: 4 * 1024 * 1024 });
    await a.network.listen(one);
    // A connection through which nothing comes back once the learner stops reading it.
    let stalled = false;
    const { address } = await proxyTo(one, (data, upstream) => {
      if (stalled) upstream.pause();
      return stalled ? undefined : data;
    });
    const b = new Member(2, new Map([[1, address]]));
    b.network.connect(1);
    await until("it is open", () => a.of("linkOpened").length === 1);
    const { link } = a.of("linkOpened")[0]!;
    stalled = true;
    const bytes = new Uint8Array(512 * 1024);
    for (let zxid = 1; zxid <= 200 && a.of("linkClosed").length === 0; zxid++) {
      const committed = { zxid: 0, epoch: 0 };
      a.network.send(link, { type: "proposal", epoch: 1, bytes, firstZxid: zxid, lastZxid: zxid, committed });
      expect(a.network.longestBacklog).toBeLessThan(6 * 1024 * 1024);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(a.of("linkClosed")).toEqual([{ kind: "linkClosed", link }]);
    expect(a.network.longestBacklog).toBe(0);
  });
});

/** A call that says what it likes; resolves with the reason it was refused for. */
async function stranger(address: string, method: string, messages: readonly Uint8Array[]): Promise<string | undefined> {
  const client = new Client(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  const same = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
  const call = client.makeBidiStreamRequest<Uint8Array, Buffer>(
    `/zabtree.peer.v1.PeerService/${method}`,
    same,
    same,
    new Metadata(),
  );
  try {
    return await new Promise((resolve) => {
      call.on("error", (error: ServiceError) => {
        resolve(refusalOf(error)?.reason ?? `code ${error.code}`);
      });
      call.on("end", () => {
        resolve(undefined);
      });
      call.on("data", () => undefined);
      for (const message of messages) call.write(message);
    });
  } finally {
    call.cancel();
    client.close();
  }
}

describe("a stranger", () => {
  const hello: Hello = { clusterId, memberId: 2, incarnation: 5, receiverId: 1, clientAddress: "" };
  const first = (method: string, message: ReturnType<typeof helloMessage>): Uint8Array =>
    method === "Elect"
      ? toBinary(ElectRequestSchema, create(ElectRequestSchema, { hello: message }))
      : toBinary(FollowRequestSchema, create(FollowRequestSchema, { hello: message }));

  async function alone(): Promise<[Member, string]> {
    const address = `127.0.0.1:${await freePort()}`;
    const member = new Member(1, new Map([[2, "127.0.0.1:1"]]));
    await member.network.listen(address);
    return [member, address];
  }

  it.each([
    ["WRONG_CLUSTER", { clusterId: "f".repeat(32) }],
    ["WRONG_MEMBER", { receiverId: 3 }],
    ["WRONG_MEMBER", { memberId: 9 }],
    ["DUPLICATE_MEMBER", { memberId: 1 }],
  ] as const)("is refused with %s: %j", async (reason, change) => {
    const [member, address] = await alone();
    for (const method of ["Elect", "Follow"]) {
      expect(await stranger(address, method, [first(method, helloMessage({ ...hello, ...change }))])).toBe(reason);
    }
    expect(member.network.admission.refused).toBe(2);
    expect(member.inputs).toEqual([]);
  });

  it("of another protocol version is refused, whatever else it says", async () => {
    const [member, address] = await alone();
    const message = create(PeerHelloSchema, { protocolVersion: 2 });
    expect(await stranger(address, "Elect", [first("Elect", message)])).toBe("PROTOCOL_VERSION");
    expect(member.network.admission.refused).toBe(1);
  });

  it("under the id of a process that was heard a moment ago is refused, later accepted", async () => {
    const [a, b, one] = await pair();
    b.network.notify(1, notification(1));
    await until("it is heard", () => a.of("notified").length > 0);
    const message = helloMessage(hello);
    for (const method of ["Elect", "Follow"]) {
      expect(await stranger(one, method, [first(method, message)])).toBe("DUPLICATE_MEMBER");
    }
    expect(a.of("unreachable")).toEqual([]);
    // Its notifications are all that keeps the incumbent in its place.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const taken = new Member(2, new Map([[1, one]]), { incarnation: 5 });
    taken.network.start();
    taken.network.notify(1, notification(9));
    await until("the newcomer is heard", () => a.of("notified").at(-1)?.notification.vote === 9);
  });

  it.each([
    ["Elect", [Uint8Array.of(255, 255, 255)]],
    ["Elect", [toBinary(ElectRequestSchema, create(ElectRequestSchema, { notification: {} }))]],
    ["Elect", [first("Elect", helloMessage(hello)), first("Elect", helloMessage(hello))]],
    ["Elect", [first("Elect", helloMessage({ ...hello, incarnation: 0 }))]],
    ["Follow", [Uint8Array.of(255, 255, 255)]],
    ["Follow", [toBinary(FollowRequestSchema, create(FollowRequestSchema, { messages: [{}] }))]],
    ["Follow", [first("Follow", helloMessage(hello)), first("Follow", helloMessage(hello))]],
    ["Follow", [first("Follow", helloMessage(hello)), Uint8Array.of(0x12, 0x02, 0x00, 0x00)]],
  ] as const)("that sends a malformed message to %s is cut off and counted", async (method, messages) => {
    const [member, address] = await alone();
    expect(await stranger(address, method, messages)).toBe("BAD_ARGUMENTS");
    expect(member.network.admission.malformed).toBe(1);
    expect(member.of("notified")).toEqual([]);
    expect(member.received).toEqual([]);
    // It is still there.
    expect(await stranger(address, method, [first(method, helloMessage({ ...hello, memberId: 9 }))])).toBe(
      "WRONG_MEMBER",
    );
  });

  it("that sends too large a message, or nothing at all, is cut off", async () => {
    const [member, address] = await alone();
    expect(await stranger(address, "Follow", [new Uint8Array(4 * 1024 * 1024)])).toBe("code 8");
    expect(await stranger(address, "Follow", [])).toBe("BAD_ARGUMENTS");
    expect(await stranger(address, "Elect", [])).toBe("BAD_ARGUMENTS");
    expect(member.inputs).toEqual([]);
  });
});

describe("a checkpoint", () => {
  const content = new Uint8Array(3_000_001).map((_, index) => (index * 31) % 253);
  const opened = (read?: (offset: number) => void): OpenSnapshot => ({
    bytes: content.length,
    read: async (offset, length) => {
      read?.(offset);
      await new Promise((resolve) => setImmediate(resolve));
      return content.slice(offset, offset + length);
    },
    close: () => undefined,
  });

  async function fetched(from: Member, id: string, bytes = content.length): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    await from.network.fetch(
      1,
      { id, bytes },
      async (piece) => {
        pieces.push(new Uint8Array(piece));
        await new Promise((resolve) => setImmediate(resolve));
      },
      new AbortController().signal,
    );
    return Buffer.concat(pieces);
  }

  it("arrives whole", async () => {
    const [a, b] = await pair();
    a.snapshot = opened();
    expect(Buffer.compare(await fetched(b, "one"), content)).toBe(0);
  });

  it("goes on where the connection broke", async () => {
    const [a, , one] = await pair();
    const offsets: number[] = [];
    a.snapshot = opened((offset) => offsets.push(offset));
    const { address, sockets } = await proxyTo(one, (data) => data);
    const c = new Member(2, new Map([[1, address]]), { incarnation: 1002 });
    let received = 0;
    let broken = false;
    const pieces: Uint8Array[] = [];
    await c.network.fetch(
      1,
      { id: "one", bytes: content.length },
      async (piece) => {
        pieces.push(new Uint8Array(piece));
        received += piece.length;
        if (received > 1024 * 1024 && !broken) {
          broken = true;
          for (const socket of sockets) socket.destroy();
        }
        await new Promise((resolve) => setImmediate(resolve));
      },
      new AbortController().signal,
    );
    expect(Buffer.compare(Buffer.concat(pieces), content)).toBe(0);
    // The beginning was sent once.
    expect(offsets.filter((offset) => offset === 0).length).toBe(1);
    expect(broken).toBe(true);
  });

  it("that its server cannot read is a failure", async () => {
    const [a, b] = await pair();
    a.snapshot = opened(() => {
      throw new Error("the disk is gone");
    });
    await expect(fetched(b, "one")).rejects.toThrow("could not be sent");
  });

  it("that is gone, or shorter than offered, is a failure", async () => {
    const [a, b] = await pair();
    await expect(fetched(b, "two")).rejects.toMatchObject({ code: 5 });
    a.snapshot = opened();
    await expect(fetched(b, "one", content.length + 1)).rejects.toThrow("ended after");
    await expect(fetched(b, "one", content.length - 1)).rejects.toThrow("wrong length");
  });
});
