/** Peers that are no zabtree clients, or bad ones: the server goes on serving others, and keeps nothing of them. */
import type { EventEmitter } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectHttp2, constants } from "node:http2";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { beforeAll, expect, it } from "vitest";
import { AttachSessionRequestSchema } from "../../gen/ts/zabtree/v1/session_pb.js";
import { WatchRequestSchema } from "../../gen/ts/zabtree/v1/watch_pb.js";
import type { Connection } from "../../src/client/index.ts";
import { cleanUp, endedOf, mebibyte, pause, random, RawClient, Server, until, within, type Ended } from "./harness.ts";

let server: Server;

beforeAll(async () => {
  server = await Server.start({ http: true, shared: true });
});

/** Sockets the server has open, those it listens on included. */
function openSockets(): number {
  const directory = `/proc/${server.pid}/fd`;
  let count = 0;
  for (const name of readdirSync(directory)) {
    try {
      if (readlinkSync(join(directory, name)).startsWith("socket:")) count++;
    } catch {
      // It was closed in between.
    }
  }
  return count;
}

async function socket(address: string): Promise<Socket> {
  const [host, port] = address.split(":");
  const tcp = connectTcp(Number(port), host);
  tcp.setMaxListeners(0);
  tcp.on("error", () => undefined);
  cleanUp(() => {
    tcp.destroy();
  });
  await new Promise((resolve) => tcp.once("connect", resolve));
  return tcp;
}

async function event(emitter: EventEmitter, name: string): Promise<void> {
  await within(10_000, name, new Promise<void>((resolve) => emitter.once(name, resolve)));
}

/** Runs something against the server, and holds the server to be as before: serving, no more sockets, no more memory. */
async function survives(attack: (connection: Connection) => Promise<void>, grownBytes = 64 * mebibyte): Promise<void> {
  const connection = await server.connect();
  await connection.tree.exists({ path: "/" });
  const before = await connection.cluster.getStatus({});
  const sockets = openSockets();
  const memory = server.residentBytes;
  await attack(connection);
  expect(server.alive).toBe(true);
  const asked = performance.now();
  await connection.tree.exists({ path: "/" });
  expect(performance.now() - asked).toBeLessThan(2000);
  await until("the sockets are closed", () => openSockets() <= sockets);
  await until("watches and streams are gone", async () => {
    const { watches, attachedSessions } = await connection.cluster.getStatus({});
    return watches === before.watches && attachedSessions === before.attachedSessions;
  });
  expect(server.residentBytes - memory).toBeLessThan(grownBytes);
  expect(server.errors).toBe("");
}

it("garbage on both ports", async () => {
  await survives(async () => {
    const garbage = [
      random(100_000),
      Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
      Buffer.from("\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003", "latin1"),
      // The HTTP/2 preface, then frames that lie about their length, or of no known type.
      Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), random(20_000)]),
      Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Buffer.alloc(20_000, 0xff)]),
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM"),
      Buffer.alloc(0),
    ];
    for (const address of [server.address, server.http]) {
      for (const bytes of garbage) {
        const tcp = await socket(address);
        tcp.write(bytes);
        tcp.end();
        await within(10_000, "the server closes", new Promise((resolve) => tcp.once("close", resolve).resume()));
      }
    }
  });
});

it("HTTP/1 on the gRPC port is not answered by gRPC, and HTTP/2 not by the HTTP port", async () => {
  await survives(async () => {
    const plain = await fetch(`http://${server.address}/livez`).then(
      (response) => response.ok,
      () => false,
    );
    expect(plain).toBe(false);
    const tcp = await socket(server.http);
    let answer = "";
    tcp.on("data", (bytes: Buffer) => (answer += bytes.toString("latin1")));
    tcp.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    await within(10_000, "the server closes", new Promise((resolve) => tcp.once("close", resolve)));
    expect(answer).toMatch(/^(HTTP\/1\.1 400|$)/);
  });
});

it("two hundred connections that say nothing, or stop in the middle", async () => {
  const connection = await server.connect();
  await survives(async () => {
    const sockets: Socket[] = [];
    for (let index = 0; index < 200; index++) {
      const tcp = await socket(index % 2 === 0 ? server.address : server.http);
      if (index % 4 === 0) tcp.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\u0000\u0000");
      if (index % 4 === 1) tcp.write("POST /zabtree.v1.TreeService/GetData HTTP/1.1\r\nContent-Le");
      sockets.push(tcp);
    }
    // Others are served while they are there.
    for (let index = 0; index < 20; index++) await connection.tree.exists({ path: "/" });
    for (const tcp of sockets) tcp.destroy();
  });
});

it("a POST that never ends", async () => {
  await survives(async (connection) => {
    const tcp = await socket(server.http);
    const head = "POST /zabtree.v1.TreeService/GetData HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    tcp.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
    let answer = "";
    tcp.on("data", (bytes: Buffer) => (answer += bytes.toString("latin1")));
    const closed = event(tcp, "close");
    const chunk = Buffer.from(`10000\r\n${" ".repeat(65_536)}\r\n`);
    for (let sent = 0; !tcp.destroyed && sent < 64 * mebibyte; sent += chunk.length) {
      if (!tcp.write(chunk)) await Promise.race([event(tcp, "drain"), closed]);
    }
    expect(answer).toMatch(/^HTTP\/1\.1 4(13|29) /);
    await connection.tree.exists({ path: "/" });
    tcp.destroy();
  });
});

/** What a session stream ends with. */
async function endOf(call: ReturnType<RawClient["stream"]>): Promise<Ended> {
  return await within(
    20_000,
    "the stream ends",
    new Promise<Ended>((resolve) => {
      call.on("error", (error: Parameters<typeof endedOf>[0]) => {
        resolve(endedOf(error));
      });
      call.on("end", () => {
        resolve(endedOf(null));
      });
      call.resume();
    }),
  );
}

it("a client that opens a session stream and never attaches is sent away", async () => {
  await survives(async () => {
    const raw = new RawClient(server.address);
    const calls = Array.from({ length: 50 }, () => raw.stream("/zabtree.v1.SessionService/AttachSession"));
    for (const ended of await Promise.all(calls.map(endOf))) {
      expect(ended).toMatchObject({ code: 3, reason: "BAD_ARGUMENTS" });
    }
    raw.client.close();
  });
}, 40_000);

it("500 streams that are reset at once", async () => {
  await survives(async (connection) => {
    const client = connectHttp2(`http://${server.address}`);
    cleanUp(() => {
      client.destroy();
    });
    const before = await connection.cluster.getStatus({});
    const attach = create(AttachSessionRequestSchema, { attach: { sessionId: 1n, secret: random(32) } });
    const spec = { path: "/", scope: 3, start: { case: "currentState" as const, value: true } };
    const calls = [
      ["/zabtree.v1.SessionService/AttachSession", toBinary(AttachSessionRequestSchema, attach)],
      ["/zabtree.v1.WatchService/Watch", toBinary(WatchRequestSchema, create(WatchRequestSchema, { spec }))],
    ] as const;
    for (let index = 0; index < 500; index++) {
      const [path, message] = calls[index % 2]!;
      const stream = client.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
      });
      stream.on("error", () => undefined);
      stream.resume();
      const head = Buffer.alloc(5);
      head.writeUInt32BE(message.length, 1);
      stream.write(Buffer.concat([head, message]));
      // Some before the server has seen them, some after.
      if (index % 5 === 0) await pause(1);
      stream.close(constants.NGHTTP2_CANCEL);
    }
    await until("the streams are gone while their connection lives", async () => {
      return (await connection.cluster.getStatus({})).watches === before.watches;
    });
    expect(client.destroyed).toBe(false);
    client.destroy();
  });
});

it("resets faster than HTTP/2 allows cost that client its connection, and others nothing", async () => {
  await survives(async (connection) => {
    const client = connectHttp2(`http://${server.address}`);
    client.on("error", () => undefined);
    cleanUp(() => {
      client.destroy();
    });
    for (let index = 0; index < 3000 && !client.destroyed && !client.closed; index++) {
      const stream = client.request({
        ":method": "POST",
        ":path": "/zabtree.v1.WatchService/Watch",
        "content-type": "application/grpc",
        te: "trailers",
      });
      stream.on("error", () => undefined);
      stream.close(constants.NGHTTP2_CANCEL);
      if (index % 100 === 0) await connection.tree.exists({ path: "/" });
    }
    await within(
      10_000,
      "the connection is closed",
      new Promise((resolve) => {
        if (client.destroyed) resolve(undefined);
        else client.once("close", resolve);
      }),
    );
  });
});

it("raw frames: paths, methods and messages that no gRPC client sends", async () => {
  await survives(async () => {
    const client = connectHttp2(`http://${server.address}`);
    cleanUp(() => {
      client.destroy();
    });
    const ask = async (headers: Record<string, string>, body: Buffer) =>
      await within(
        10_000,
        "an answer",
        new Promise<string>((resolve) => {
          const stream = client.request({
            ":method": "POST",
            "content-type": "application/grpc",
            te: "trailers",
            ...headers,
          });
          let status = "";
          stream.on("response", (head) => (status = `${String(head[":status"])} ${String(head["grpc-status"] ?? "")}`));
          stream.on("trailers", (trailers) => (status += String(trailers["grpc-status"])));
          stream.on("error", () => undefined);
          stream.on("close", () => {
            resolve(status);
          });
          stream.resume();
          stream.end(body);
        }),
      );
    const getData = { ":path": "/zabtree.v1.TreeService/GetData" };
    const root = Buffer.from([0, 0, 0, 0, 3, 0x0a, 0x01, 0x2f]);
    expect(await ask(getData, root)).toMatch(/^200 0$/);
    expect(await ask({ ":path": "/zabtree.v1.TreeService//GetData" }, root)).toMatch(/12$/);
    expect(await ask({ ":path": "*" }, root)).not.toMatch(/ 0$/);
    expect(await ask({ ...getData, ":method": "GET" }, Buffer.alloc(0))).not.toMatch(/ 0$/);
    expect(await ask({ ...getData, "content-type": "text/plain" }, root)).toMatch(/^415/);
    // No message, half a message, two messages, a length of 4 GiB.
    for (const body of [
      Buffer.alloc(0),
      root.subarray(0, 6),
      Buffer.concat([root, root]),
      Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 0]),
    ]) {
      expect(await ask(getData, body), body.toString("hex")).not.toMatch(/ 0$/);
    }
    // A bomb: 64 MiB of zeros in 64 KiB. It is not decompressed, or not beyond the limit.
    const { gzipSync } = await import("node:zlib");
    const bomb = gzipSync(Buffer.alloc(64 * mebibyte));
    const head = Buffer.alloc(5);
    head[0] = 1;
    head.writeUInt32BE(bomb.length, 1);
    expect(await ask({ ...getData, "grpc-encoding": "gzip" }, Buffer.concat([head, bomb]))).toMatch(/ ?(8|12|3)$/);
    const response = await fetch(`http://${server.http}/zabtree.v1.TreeService/GetData`, {
      method: "POST",
      headers: { "content-type": "application/json", "content-encoding": "gzip" },
      body: bomb,
    });
    expect(response.status).toBe(429);
    client.close();
  }, 256 * mebibyte);
});

it("metadata without end", async () => {
  await survives(async () => {
    const raw = new RawClient(server.address);
    const metadata: Record<string, string> = {};
    for (let index = 0; index < 1500; index++) metadata[`x-${index}`] = "y".repeat(100);
    const { ended } = await raw.unary("/zabtree.v1.TreeService/Sync", new Uint8Array(0), metadata);
    expect(ended.code).not.toBe(0);
    raw.client.close();
  });
});
