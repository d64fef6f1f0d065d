/** How a server stops, and what is there while it runs: health, reflection, probes. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { describe, expect, it } from "vitest";
import { AttachSessionRequestSchema, AttachSessionResponseSchema } from "../../gen/ts/zabtree/v1/session_pb.js";
import { ZabtreeError } from "../../src/client/index.ts";
import { cleanUp, Http2Call, random, Running, runProgram, Server, text, until, untext, within } from "./harness.ts";

const root = new URL("../../", import.meta.url);

it("SIGTERM under load: everyone is told, nothing acknowledged is lost, exit code 0, clean files", async () => {
  const server = await Server.start({ http: true });
  const connection = await server.connect();
  await connection.tree.create({ path: "/load" });
  const acknowledged = new Map<string, number>();
  const errors: unknown[] = [];
  const sessions = await Promise.all(Array.from({ length: 8 }, () => connection.openSession()));
  const load = sessions.map(async (session, index) => {
    const path = `/load/${index}`;
    await session.request("create", { path });
    for (let number = 1; ; number += 16) {
      const batch = Array.from({ length: 16 }, async (_, offset) => {
        await session.request("setData", { path, data: text(String(number + offset)) });
        acknowledged.set(path, number + offset);
      });
      const outcomes = await Promise.race([
        Promise.allSettled(batch),
        new Promise<undefined>((resolve) => session.onState(() => resolve(undefined))),
      ]);
      for (const outcome of outcomes ?? []) if (outcome.status === "rejected") errors.push(outcome.reason);
      if (session.state !== "CONNECTED") return session.error;
    }
  });
  const watch = (async () => {
    const spec = { path: "/load", scope: 3 };
    let messages = 0;
    for await (const _message of connection.watches.watch({ spec })) messages++;
    return messages;
  })().catch((error: unknown) => error);
  const secret = random(32);
  const { sessionId } = await connection.sessions.openSession({ clientKey: random(32), secret });
  const attach = create(AttachSessionRequestSchema, { attach: { sessionId, secret } });
  const quiet = new Http2Call(server.address, "/zabtree.v1.SessionService/AttachSession");
  quiet.write(toBinary(AttachSessionRequestSchema, attach)).read();
  await until("writes are acknowledged", () => [...acknowledged.values()].filter((n) => n > 100).length === 8);

  const started = performance.now();
  const stopped = await server.stop();
  expect(stopped).toMatchObject({ code: 0, stderr: "" });
  expect(performance.now() - started).toBeLessThan(8000);
  for (const error of await within(5000, "the load ends", Promise.all(load))) {
    expect(error).toMatchObject({ reason: "SHUTTING_DOWN" });
  }
  expect(await within(5000, "the watch ends", watch)).toMatchObject({ reason: "SHUTTING_DOWN" });
  expect(await quiet.ended).toMatchObject({ code: 14, reason: "SHUTTING_DOWN" });
  const frames = quiet.messages.flatMap((message) => fromBinary(AttachSessionResponseSchema, message).frames);
  const last = frames.at(-1)?.frame;
  expect(last?.case === "ended" && last.value.reason).toBe("SHUTTING_DOWN");
  for (const error of errors) expect((error as ZabtreeError).unavailable).toBe(true);

  // What was logged has been copied into the databases: no file holds a part of it.
  for (const name of readdirSync(server.data).filter((each) => each.endsWith("-wal"))) {
    expect(statSync(join(server.data, name)).size, name).toBe(0);
  }
  const committed = await runProgram("sqlite3", [
    "-readonly",
    join(server.data, "log.db"),
    "SELECT committed_zxid FROM state",
  ]);
  await server.start();
  const again = await server.connect();
  expect(Number(committed)).toBeGreaterThan(8 * 100);
  await until("the checkpoint is known to reach what was committed", async () => {
    return (await again.cluster.getStatus({})).checkpointZxid >= BigInt(committed.trim());
  });
  for (const [path, number] of acknowledged) {
    expect(Number(untext((await again.tree.getData({ path })).data))).toBeGreaterThanOrEqual(number);
  }
}, 60_000);

it("SIGTERM ends a server at any time with exit code 0, also with a client that does not read", async () => {
  const server = await Server.start();
  const connection = await server.connect();
  await connection.tree.create({ path: "/large", data: random(1_000_000) });
  const secret = random(32);
  const { sessionId } = await connection.sessions.openSession({ clientKey: random(32), secret });
  const requests = Array.from({ length: 50 }, (_, index) => ({
    callId: BigInt(index + 1),
    operation: { case: "getData" as const, value: { path: "/large" } },
  }));
  const message = create(AttachSessionRequestSchema, { attach: { sessionId, secret }, requests });
  new Http2Call(server.address, "/zabtree.v1.SessionService/AttachSession").write(
    toBinary(AttachSessionRequestSchema, message),
  );
  await until("it is attached", async () => (await connection.cluster.getStatus({})).attachedSessions === 1n);
  const started = performance.now();
  expect(await server.stop()).toMatchObject({ code: 0, stderr: "" });
  expect(performance.now() - started).toBeLessThan(8000);
});

it("a second server on the same directory is refused with exit code 1, and the first is not disturbed", async () => {
  const server = await Server.start();
  const connection = await server.connect();
  await connection.tree.create({ path: "/mine" });
  const second = await new Running(["serve", "--data", server.data, "--listen", "127.0.0.1:0", "--http", "off"]).result;
  expect(second).toMatchObject({ code: 1, stdout: "" });
  expect(second.stderr).toMatch(new RegExp(`^zabtree: .*in use.*pid ${server.pid}\\b.*\\n$`));
  await connection.tree.setData({ path: "/mine", data: text("still") });
  await server.kill();
  // Nothing is left that keeps the next one out.
  await server.start();
  const again = await server.connect();
  expect(untext((await again.tree.getData({ path: "/mine" })).data)).toBe("still");
});

describe("standard services", () => {
  const healthProto = new URL("node_modules/grpc-health-check/proto/health/v1/health.proto", root).pathname;

  interface HealthClient {
    check(
      request: { service: string },
      done: (error: { code: number } | null, response: { status: unknown } | undefined) => void,
    ): void;
    watch(request: { service: string }): NodeJS.EventEmitter;
  }

  function healthClient(address: string): HealthClient {
    const loaded = loadPackageDefinition(loadSync(healthProto)) as unknown as {
      grpc: { health: { v1: { Health: ServiceClientConstructor } } };
    };
    const client = new loaded.grpc.health.v1.Health(address, credentials.createInsecure());
    cleanUp(() => {
      client.close();
    });
    return client as unknown as HealthClient;
  }

  async function check(client: HealthClient, service: string): Promise<unknown> {
    return await new Promise((resolve) => {
      client.check({ service }, (error, response) => {
        resolve(error === null ? response?.status : error.code);
      });
    });
  }

  it("health tells that it serves, and that it stops", async () => {
    const server = await Server.start({ http: true });
    const health = healthClient(server.address);
    // The loader gives enums as numbers: 1 is SERVING, 2 is NOT_SERVING; 5 is the status NOT_FOUND.
    for (const service of ["", "zabtree.v1.TreeService", "zabtree.v1.SessionService", "zabtree.v1.WatchService"]) {
      expect(await check(health, service), service).toBe(1);
    }
    expect(await check(health, "no.such.Service")).toBe(5);
    const statuses: unknown[] = [];
    const watching = health.watch({ service: "" });
    watching.on("data", ({ status }: { status: unknown }) => statuses.push(status));
    watching.on("error", () => undefined);
    await until("the first status comes", () => statuses.length === 1);
    expect(await server.stop()).toMatchObject({ code: 0 });
    expect(statuses).toEqual([1, 2]);
  });

  it("reflection lists the services", async () => {
    const server = await Server.start();
    const proto = new URL("node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto", root)
      .pathname;
    const loaded = loadPackageDefinition(loadSync(proto)) as unknown as {
      grpc: { reflection: { v1: { ServerReflection: ServiceClientConstructor } } };
    };
    const client: Client = new loaded.grpc.reflection.v1.ServerReflection(server.address, credentials.createInsecure());
    cleanUp(() => {
      client.close();
    });
    const call = (
      client as unknown as Record<string, () => NodeJS.EventEmitter & { write(m: unknown): void; end(): void }>
    )["serverReflectionInfo"]!();
    interface Answer {
      listServicesResponse?: { service: { name: string }[] };
      fileDescriptorResponse?: { fileDescriptorProto: Buffer[] };
    }
    const answers: Answer[] = [];
    call.on("error", () => undefined);
    call.on("data", (answer: Answer) => answers.push(answer));
    call.write({ listServices: "" });
    call.write({ fileContainingSymbol: "zabtree.v1.TreeService" });
    await until("both are answered", () => answers.length === 2);
    call.end();
    const names = answers[0]!.listServicesResponse!.service.map(({ name }) => name);
    const own = [
      "zabtree.v1.SessionService",
      "zabtree.v1.TreeService",
      "zabtree.v1.WatchService",
      "zabtree.admin.v1.ClusterService",
    ];
    expect(names).toEqual(expect.arrayContaining(own));
    expect(answers[1]!.fileDescriptorResponse!.fileDescriptorProto.length).toBeGreaterThan(0);
  });

  it("probes answer, and nothing else does", async () => {
    const server = await Server.start({ http: true });
    const status = async (path: string, method = "GET") =>
      (await fetch(`http://${server.http}${path}`, { method })).status;
    expect(await status("/livez")).toBe(200);
    expect(await status("/readyz")).toBe(200);
    expect(await status("/livez", "HEAD")).toBe(200);
    for (const path of ["/", "/metricz", "/livez/../etc/passwd", "/%2e%2e/", "//livez"]) {
      expect(await status(path), path).toBe(404);
    }
    expect(await status("/livez", "DELETE")).toBeGreaterThanOrEqual(400);
  });
});

it("the curl line of the README does what it says", async () => {
  const readme = new URL("README.md", root);
  expect(existsSync(readme)).toBe(true);
  const blocks = [...readFileSync(readme, "utf8").matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1]!);
  const line = blocks
    .flatMap((block) => block.replaceAll("\\\n", " ").split("\n"))
    .map((each) => each.trim())
    .find((each) => each.startsWith("curl "));
  expect(line, "the README has a line that starts with curl").toBeDefined();
  expect(line).toContain("4280");
  const server = await Server.start({ http: true });
  const connection = await server.connect();
  await connection.tree.create({ path: "/hello", data: text("world") });
  const port = server.http.split(":")[1]!;
  const output = await runProgram("sh", ["-c", line!.replace("curl ", "curl --fail-with-body ").replace("4280", port)]);
  expect(JSON.parse(output)).toMatchObject({ header: { memberId: "1" } });
});
