/** An ensemble of real processes, clients that never give up, and the checks that every test ends with. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect } from "vitest";
import {
  connect,
  ServerRole,
  ZabtreeError,
  type Connection,
  type GetStatusResponse,
} from "../../../src/client/index.ts";
import { Consistency } from "../../../gen/ts/zabtree/v1/common_pb.js";
import { freePort, Running, type Result } from "../../cli/harness.ts";
import { cleanUp, pause, scratchDirectory, text, until, untext, within } from "../harness.ts";

const serving: readonly ServerRole[] = [ServerRole.LEADING, ServerRole.FOLLOWING, ServerRole.OBSERVING];

/** One server of the ensemble. It keeps its ports and its directory from one start to the next. */
export class EnsembleServer {
  readonly id: number;
  readonly address: string;
  data: string;
  flags: readonly string[];
  readonly members: string;
  private running: Running | undefined;
  private connection: Connection | undefined;

  constructor(id: number, address: string, data: string, members: string, flags: readonly string[]) {
    this.id = id;
    this.address = address;
    this.data = data;
    this.members = members;
    this.flags = flags;
  }

  get isAlive(): boolean {
    const child = this.running?.process;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Starts the process. It may take a while until it serves, or it may never. */
  start(): Running {
    expect(this.isAlive).toBe(false);
    const own = ["--id", String(this.id), "--members", this.members, "--data", this.data];
    this.running = new Running(["serve", ...own, "--listen", this.address, "--http", "off", ...this.flags]);
    return this.running;
  }

  get errors(): string {
    return this.running?.errors ?? "";
  }

  signal(signal: NodeJS.Signals): void {
    this.running!.stop(signal);
  }

  /** The result of the process, when it ends by itself. */
  get ended(): Promise<Result> {
    return this.running!.result;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    this.disconnect();
    if (!this.isAlive) return;
    // One that stands still hears nothing else.
    if (signal !== "SIGKILL") this.signal("SIGCONT");
    this.signal(signal);
    await within(20_000, `server ${this.id} ends after ${signal}`, this.running!.result);
  }

  async kill(): Promise<void> {
    await this.end("SIGKILL");
  }

  /** A connection that is kept until something goes wrong. */
  async connect(): Promise<Connection> {
    this.connection ??= await connect({ server: this.address, timeoutMs: 1500 });
    return this.connection;
  }

  /** A connection of one's own, until the end of the test. */
  async newConnection(): Promise<Connection> {
    const connection = await connect({ server: this.address, timeoutMs: 5000 });
    cleanUp(() => {
      connection.close();
    });
    return connection;
  }

  disconnect(): void {
    this.connection?.close();
    this.connection = undefined;
  }

  /** What it says about itself; undefined when it does not answer. */
  async status(): Promise<GetStatusResponse | undefined> {
    if (!this.isAlive) return undefined;
    try {
      return await (await this.connect()).cluster.getStatus({}, { timeoutMs: 1000 });
    } catch {
      this.disconnect();
      return undefined;
    }
  }

  async serves(): Promise<boolean> {
    const status = await this.status();
    return status !== undefined && serving.includes(status.role);
  }

  /** The transactions of its log, as text; the server must have ended. */
  log(): Map<number, string> {
    const database = new Database(join(this.data, "log.db"), { readonly: true });
    try {
      const rows = database
        .prepare("SELECT zxid, epoch, time, session, seq, kind, path, hex(data) AS data FROM txn ORDER BY zxid, op")
        .all() as { zxid: number }[];
      const log = new Map<number, string>();
      for (const row of rows) log.set(row.zxid, (log.get(row.zxid) ?? "") + JSON.stringify(row));
      return log;
    } finally {
      database.close();
    }
  }
}

export interface EnsembleOptions {
  readonly observers?: number;
  readonly flags?: readonly string[] | ((id: number) => readonly string[]);
}

export class Ensemble {
  readonly servers: readonly EnsembleServer[];

  private constructor(servers: readonly EnsembleServer[]) {
    this.servers = servers;
  }

  /** Servers 1, 2, 3 …, observers last. None is started. */
  static async prepare(voters: number, options: EnsembleOptions = {}): Promise<Ensemble> {
    const directory = await scratchDirectory();
    const count = voters + (options.observers ?? 0);
    const ports = new Set<number>();
    while (ports.size < 2 * count) ports.add(await freePort());
    const [...all] = ports;
    const list = Array.from({ length: count }, (_, index) => {
      const observer = index < voters ? "" : ":observer";
      return `${index + 1}=127.0.0.1:${String(all[count + index])}${observer}`;
    }).join(",");
    const servers = Array.from({ length: count }, (_, index) => {
      const id = index + 1;
      const flags = typeof options.flags === "function" ? options.flags(id) : (options.flags ?? []);
      return new EnsembleServer(id, `127.0.0.1:${String(all[index])}`, join(directory, String(id)), list, flags);
    });
    const ensemble = new Ensemble(servers);
    cleanUp(async () => {
      await Promise.all(servers.map((server) => server.kill()));
    });
    return ensemble;
  }

  /** Starts all, and waits until all serve. */
  static async start(voters: number, options: EnsembleOptions = {}): Promise<Ensemble> {
    const ensemble = await Ensemble.prepare(voters, options);
    for (const server of ensemble.servers) server.start();
    await ensemble.untilServing();
    return ensemble;
  }

  server(id: number): EnsembleServer {
    return this.servers[id - 1]!;
  }

  get alive(): EnsembleServer[] {
    return this.servers.filter(({ isAlive }) => isAlive);
  }

  /** Waits until all these serve. */
  async untilServing(servers: readonly EnsembleServer[] = this.servers): Promise<void> {
    await until(
      `servers ${servers.map(({ id }) => id).join(", ")} serve`,
      async () => (await Promise.all(servers.map((server) => server.serves()))).every(Boolean),
      { timeoutMs: 40_000 },
    );
  }

  /** Waits for a leader; `not` is one that no longer counts. */
  async leader(not?: EnsembleServer): Promise<EnsembleServer> {
    return await until(
      "there is a leader",
      async () => {
        const candidates = this.alive.filter((server) => server !== not);
        const statuses = await Promise.all(candidates.map((server) => server.status()));
        return candidates.find((_, index) => statuses[index]?.role === ServerRole.LEADING);
      },
      { timeoutMs: 30_000 },
    );
  }

  async followers(): Promise<EnsembleServer[]> {
    const leader = await this.leader();
    return this.alive.filter((server) => server !== leader);
  }

  /** Waits until all that run serve, and have applied the same; their digests must be equal then. */
  async converged(): Promise<GetStatusResponse[]> {
    await this.untilServing(this.alive);
    return await until(
      "all have applied the same",
      async () => {
        const statuses: GetStatusResponse[] = [];
        for (const server of this.alive) {
          const status = await server.status();
          if (status === undefined) return undefined;
          statuses.push(status);
        }
        const zxids = new Set(statuses.map(({ header }) => header?.zxid));
        if (zxids.size !== 1) return undefined;
        expect(new Set(statuses.map(({ digest }) => digest)).size, "digests at one zxid").toBe(1);
        expect(statuses.filter(({ role }) => role === ServerRole.LEADING).length).toBe(1);
        return statuses;
      },
      { timeoutMs: 30_000 },
    );
  }

  /** Stops all, and holds their logs against each other: where two have a transaction it is the same one. */
  async checkLogs(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.end("SIGTERM")));
    const logs = this.servers.map((server) => server.log());
    const [first] = logs;
    for (const log of logs) {
      for (const [zxid, row] of log) {
        const other = first!.get(zxid);
        if (other !== undefined) expect(row).toBe(other);
      }
    }
  }
}

/** What a client may hear from a server that is no longer, or not yet, part of the ensemble. */
function isTransient(error: unknown): boolean {
  // Somebody else has found that server gone, and has closed the connection that is shared.
  if (error instanceof Error && error.message === "Channel has been shut down") return true;
  if (!(error instanceof ZabtreeError)) return false;
  const { reason } = error;
  if (reason === undefined) return error.unavailable || error.code === 4 || error.code === 1;
  return ["NO_LEADER", "SHUTTING_DOWN", "OUTCOME_UNKNOWN", "OVERLOADED", "ZXID_NOT_REACHED", "SEQUENCE_GAP"].includes(
    reason,
  );
}

/**
 * A session that writes 1, 2, 3 … into one znode, each exactly once, on whatever server answers. The version of the
 * znode counts the writes: one that was lost, or happened twice, shows in every answer that follows.
 */
export class Writer {
  readonly path: string;
  /** The last write that was answered, and the longest time between two answers. */
  acknowledged = 0;
  longestGapMs = 0;
  problem: unknown;
  private readonly ensemble: Ensemble;
  private readonly secret = new Uint8Array(randomBytes(32));
  private id = 0n;
  private at = 0;
  private attempted = 0;
  private running = true;
  private done: Promise<void> = Promise.resolve();
  private lastAt = 0;

  constructor(ensemble: Ensemble, path: string) {
    this.ensemble = ensemble;
    this.path = path;
  }

  static async start(ensemble: Ensemble, path: string): Promise<Writer> {
    const writer = new Writer(ensemble, path);
    await writer.begin();
    return writer;
  }

  private async begin(): Promise<void> {
    const clientKey = new Uint8Array(randomBytes(32));
    const opening = { clientKey, secret: this.secret, timeoutMs: 120_000, credentials: [] };
    const opened = await this.anywhere((connection) => connection.sessions.openSession(opening));
    this.id = opened.sessionId;
    const session = { id: this.id, secret: this.secret };
    await this.anywhere((connection) =>
      connection.tree.create({ path: this.path, data: text("0"), seq: 1n }, { session, timeoutMs: 1500 }),
    );
    this.lastAt = performance.now();
    cleanUp(async () => {
      this.running = false;
      await this.done;
    });
    this.done = this.run().catch((error: unknown) => {
      this.problem ??= error;
    });
  }

  private async run(): Promise<void> {
    const session = { id: this.id, secret: this.secret };
    while (this.running) {
      const number = this.attempted + 1;
      this.attempted = number;
      const seq = BigInt(number + 1);
      const write = { path: this.path, data: text(String(number)), seq, ackedSeq: seq - 1n };
      const answer = await this.anywhere((connection) => connection.tree.setData(write, { session, timeoutMs: 1500 }));
      expect(answer.stat?.version, "each write happens once").toBe(number);
      this.acknowledged = number;
      const now = performance.now();
      this.longestGapMs = Math.max(this.longestGapMs, now - this.lastAt);
      this.lastAt = now;
    }
  }

  /** Asks one server after the other until one answers. */
  private async anywhere<T>(call: (connection: Connection) => Promise<T>): Promise<T> {
    const deadline = performance.now() + 60_000;
    for (let attempt = 0; ; attempt++) {
      const { alive } = this.ensemble;
      const server = alive[this.at % Math.max(1, alive.length)];
      try {
        if (server === undefined) throw new ZabtreeError({ message: "nobody is there", code: 14 });
        return await call(await server.connect());
      } catch (error) {
        if (!isTransient(error) || performance.now() > deadline || !this.running) throw error;
        server?.disconnect();
        this.at++;
        await pause(attempt % 3 === 2 ? 30 : 5);
      }
    }
  }

  /** Forgets the longest gap so far. */
  restartGap(): void {
    this.longestGapMs = 0;
    this.lastAt = performance.now();
  }

  /** Waits for so many more answers. */
  async progress(writes = 20): Promise<void> {
    const goal = this.acknowledged + writes;
    await until(`${this.path} goes on`, () => this.problem !== undefined || this.acknowledged >= goal, {
      timeoutMs: 60_000,
    });
    this.check();
  }

  check(): void {
    if (this.problem !== undefined) throw this.problem as Error;
  }

  /** Ends, and reads on every server what was written last. */
  async finish(): Promise<void> {
    this.running = false;
    await within(70_000, "the last write is answered", this.done);
    const interrupted = isTransient(this.problem);
    if (!interrupted) this.check();
    for (const server of this.ensemble.alive) {
      const connection = await server.connect();
      const { data, stat } = await connection.tree.getData({ path: this.path, consistency: Consistency.LINEARIZABLE });
      const value = Number(untext(data));
      expect(stat?.version).toBe(value);
      expect(value).toBeGreaterThanOrEqual(this.acknowledged);
      expect(value).toBeLessThanOrEqual(this.attempted);
    }
  }
}

/** Reads linearizably on all servers: none may answer with less than was acknowledged before it was asked. */
export class Reader {
  reads = 0;
  problem: unknown;
  private readonly writer: Writer;
  private running = true;
  private readonly done: Promise<unknown>;

  constructor(ensemble: Ensemble, writer: Writer) {
    this.writer = writer;
    this.done = Promise.all(ensemble.servers.map((server) => this.run(server))).catch((error: unknown) => {
      this.problem ??= error;
    });
    cleanUp(async () => {
      this.running = false;
      await this.done;
    });
  }

  private async run(server: EnsembleServer): Promise<void> {
    let connection: Connection | undefined;
    while (this.running) {
      await pause(3);
      if (!server.isAlive) continue;
      try {
        connection ??= await connect({ server: server.address, timeoutMs: 1500 });
        const least = this.writer.acknowledged;
        const { data } = await connection.tree.getData(
          { path: this.writer.path, consistency: Consistency.LINEARIZABLE },
          { timeoutMs: 3000 },
        );
        const value = Number(untext(data));
        expect(value, `a linearizable read on server ${server.id}`).toBeGreaterThanOrEqual(least);
        this.reads++;
      } catch (error) {
        if (!isTransient(error)) throw error;
        connection?.close();
        connection = undefined;
      }
    }
    connection?.close();
  }

  async finish(): Promise<void> {
    this.running = false;
    await this.done;
    if (this.problem !== undefined) throw this.problem as Error;
    expect(this.reads).toBeGreaterThan(0);
  }
}

/** Ends clients, and holds the servers against each other. */
export async function check(ensemble: Ensemble, writers: readonly Writer[], reader?: Reader): Promise<void> {
  await ensemble.untilServing(ensemble.alive);
  for (const writer of writers) await writer.finish();
  await reader?.finish();
  await ensemble.converged();
}
