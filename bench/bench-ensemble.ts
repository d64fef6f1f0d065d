/** Three real servers on this machine, and a client that writes one after the other, on whichever server answers. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { connect, ServerRole, ZabtreeError, type Connection } from "../src/client/index.ts";
import { spawnServer } from "./bench-server.ts";

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

class Member {
  readonly address: string;
  private readonly args: readonly string[];
  private child: ReturnType<typeof spawnServer> | undefined;
  private connection: Connection | undefined;

  constructor(address: string, args: readonly string[]) {
    this.address = address;
    this.args = args;
  }

  start(): void {
    this.child = spawnServer(this.args);
    this.child.stdout.resume();
  }

  get pid(): number {
    return this.child!.pid!;
  }

  signal(signal: NodeJS.Signals): void {
    this.child!.kill(signal);
  }

  async kill(): Promise<void> {
    const exited = once(this.child!, "exit");
    this.child!.kill("SIGKILL");
    await exited;
    this.disconnect();
  }

  async connect(): Promise<Connection> {
    this.connection ??= await connect({ server: this.address, timeoutMs: 1000 });
    return this.connection;
  }

  disconnect(): void {
    this.connection?.close();
    this.connection = undefined;
  }

  async role(): Promise<ServerRole> {
    try {
      return (await (await this.connect()).cluster.getStatus({}, { timeoutMs: 500 })).role;
    } catch {
      this.disconnect();
      return ServerRole.UNSPECIFIED;
    }
  }
}

export class BenchEnsemble {
  readonly members: readonly Member[];

  private constructor(members: readonly Member[]) {
    this.members = members;
  }

  static async start(count: number, dataDir: string): Promise<BenchEnsemble> {
    const ports: number[] = [];
    for (let port = 0; port < 2 * count; port++) ports.push(await freePort());
    const list = ports.slice(count).map((port, index) => `${index + 1}=127.0.0.1:${port}`);
    const members = list.map((_, index) => {
      const address = `127.0.0.1:${String(ports[index])}`;
      const id = String(index + 1);
      const own = ["--id", id, "--members", list.join(","), "--data", join(dataDir, id)];
      return new Member(address, [...own, "--listen", address, "--http", "off"]);
    });
    for (const member of members) member.start();
    const ensemble = new BenchEnsemble(members);
    await ensemble.untilServing();
    return ensemble;
  }

  async untilServing(): Promise<void> {
    for (;;) {
      const roles = await Promise.all(this.members.map((member) => member.role()));
      if (roles.every((role) => role === ServerRole.LEADING || role === ServerRole.FOLLOWING)) return;
      await pause(20);
    }
  }

  async leader(): Promise<Member> {
    for (;;) {
      for (const member of this.members) if ((await member.role()) === ServerRole.LEADING) return member;
      await pause(20);
    }
  }

  async end(): Promise<void> {
    for (const member of this.members) await member.kill();
  }
}

/** How long the client waits for one answer before it asks another server, milliseconds. */
const answerMs = 300;

/** Writes one after the other, each exactly once: a write without an answer is repeated elsewhere under its seq. */
export class RetryingWriter {
  /** The longest time between two answers since `restart`. */
  longestGapMs = 0;
  acknowledged = 0;
  private readonly ensemble: BenchEnsemble;
  private readonly secret = new Uint8Array(randomBytes(32));
  private readonly connections = new Map<Member, Connection>();
  private at = 0;
  private lastAt = 0;
  private running = true;

  constructor(ensemble: BenchEnsemble) {
    this.ensemble = ensemble;
  }

  async run(): Promise<void> {
    const { secret } = this;
    const clientKey = new Uint8Array(randomBytes(32));
    const opening = { clientKey, secret, timeoutMs: 120_000, credentials: [] };
    const { sessionId: id } = await this.anywhere((connection) => connection.sessions.openSession(opening));
    const session = { id, secret };
    const options = { session, timeoutMs: answerMs };
    const data = new Uint8Array(randomBytes(100));
    const path = "/failover";
    await this.anywhere((connection) => connection.tree.create({ path, seq: 1n }, options));
    this.restart();
    for (let seq = 2n; this.running; seq++) {
      await this.anywhere((connection) => connection.tree.setData({ path, data, seq, ackedSeq: seq - 1n }, options));
      const now = performance.now();
      this.longestGapMs = Math.max(this.longestGapMs, now - this.lastAt);
      this.lastAt = now;
      this.acknowledged++;
    }
  }

  restart(): void {
    this.longestGapMs = 0;
    this.lastAt = performance.now();
  }

  stop(): void {
    this.running = false;
    for (const connection of this.connections.values()) connection.close();
  }

  private async anywhere<T>(call: (connection: Connection) => Promise<T>): Promise<T> {
    const { members } = this.ensemble;
    for (;;) {
      const member = members[this.at % members.length]!;
      try {
        let connection = this.connections.get(member);
        if (connection === undefined) {
          connection = await connect({ server: member.address, timeoutMs: answerMs });
          this.connections.set(member, connection);
        }
        return await call(connection);
      } catch (error) {
        if (!this.running || !(error instanceof ZabtreeError)) throw error;
        if (error.reason === undefined) {
          this.connections.get(member)?.close();
          this.connections.delete(member);
        }
        this.at++;
        await pause(2);
      }
    }
  }
}
