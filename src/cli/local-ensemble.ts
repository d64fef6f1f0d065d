/** Several servers on this machine, each a process of its own, and a line for each that says how it does. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connect, ServerRole, type Connection, type GetStatusResponse } from "../client/index.ts";
import { CommandError } from "./failure.ts";
import { packageVersion } from "./version.ts";

export const defaultBasePort = 4281;
/** Beside what a server that stands alone keeps in ./data. */
export const defaultEnsembleData = "./data/ensemble";

const pollMs = 500;
/** A server that takes longer to say how it does is said not to answer, milliseconds. */
const answerMs = 1000;

export interface LocalEnsembleOptions {
  readonly nodes: number;
  readonly data?: string | undefined;
  readonly basePort?: number | undefined;
  readonly defaultAcl?: string | undefined;
  readonly logLevel?: string | undefined;
}

/** Runs until all is ended by a signal, or every server has ended by itself: then it throws. */
export async function runLocalEnsemble(options: LocalEnsembleOptions): Promise<void> {
  const { nodes, basePort = defaultBasePort, data = defaultEnsembleData } = options;
  checkDirectories(data, nodes);
  const ports = Array.from({ length: nodes }, (_, index) => basePort + 10 * index);
  const list = ports.map((port, index) => `${index + 1}=127.0.0.1:${port + 1}`).join(",");
  const members = ports.map(
    (port, index) => new LocalMember(index + 1, port, join(data, String(index + 1)), list, options),
  );
  const signalled = new Promise<"signal">((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        resolve("signal");
      });
    }
  });
  const allEnded = Promise.all(members.map(({ ended }) => ended)).then(() => "ended" as const);
  console.log(`zabtree ${packageVersion()}: ${nodes} servers, data in ${data}; Ctrl-C ends all`);
  console.log(`try:  npx zabtree --server ${members.map(({ address }) => address).join(",")} status`);
  const board = new StatusBoard(members);
  const reason = await Promise.race([signalled, allEnded]);
  board.stop();
  for (const member of members) member.stop();
  await allEnded;
  if (reason === "ended") throw new CommandError("every server has ended");
  console.log("zabtree: all servers have stopped");
}

/** The members are in the servers' logs: an ensemble of another size is another ensemble. */
function checkDirectories(data: string, nodes: number): void {
  try {
    mkdirSync(data, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new CommandError(`cannot make ${data}: ${(error as Error).message}`);
  }
  const present = readdirSync(data).filter((name) => /^[1-9]\d*$/.test(name));
  const known = Math.max(0, ...present.map(Number));
  if (known === 0 || known === nodes) return;
  throw new CommandError(`${data} holds an ensemble of ${known} servers; take --nodes ${known}, or another --data`);
}

class LocalMember {
  readonly id: number;
  readonly address: string;
  readonly ended: Promise<void>;
  /** How the process ended; undefined while it runs. */
  end: string | undefined;
  /** Whether it has ever said how it does. */
  hasAnswered = false;
  private readonly child: ChildProcess;
  private connection: Connection | undefined;

  constructor(id: number, port: number, data: string, members: string, options: LocalEnsembleOptions) {
    this.id = id;
    this.address = `127.0.0.1:${port}`;
    const flags = {
      "--id": String(id),
      "--members": members,
      "--data": data,
      "--listen": this.address,
      "--http": `127.0.0.1:${port - 1}`,
      "--default-acl": options.defaultAcl ?? "open",
      "--log-level": options.logLevel ?? "error",
    };
    const args = [process.argv[1]!, "serve", ...Object.entries(flags).flat()];
    // With this variable and a channel the launcher ends its process when this one dies, however it dies.
    const env = { ...process.env, ZABTREE_WRAPPED: "1" };
    this.child = spawn(process.execPath, args, { env, stdio: ["ignore", "ignore", "pipe", "ipc"] });
    createInterface(this.child.stderr!).on("line", (line) => {
      console.error(`[${id}] ${line}`);
    });
    this.ended = once(this.child, "exit").then(([code, signal]) => {
      this.end = signal === null ? `ended with code ${String(code)}` : `killed by ${String(signal)}`;
      this.connection?.close();
      this.connection = undefined;
    });
  }

  stop(): void {
    if (this.end === undefined) this.child.kill("SIGTERM");
  }

  /** What it says about itself; undefined when it does not answer. */
  async status(): Promise<GetStatusResponse | undefined> {
    if (this.end !== undefined) return undefined;
    try {
      this.connection ??= await connect({ server: this.address, timeoutMs: answerMs });
      const status = await this.connection.cluster.getStatus({}, { timeoutMs: answerMs });
      this.hasAnswered = true;
      return status;
    } catch {
      this.connection?.close();
      this.connection = undefined;
      return undefined;
    }
  }
}

/** On a terminal the lines are written over and over; elsewhere one is added when something has changed. */
class StatusBoard {
  private readonly members: readonly LocalMember[];
  private readonly said = new Map<number, string>();
  private drawn = 0;
  private stopped = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(members: readonly LocalMember[]) {
    this.members = members;
    void this.poll();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private async poll(): Promise<void> {
    const statuses = await Promise.all(this.members.map((member) => member.status()));
    if (this.stopped) return;
    const lines = this.members.map((member, index) => line(member, statuses[index]));
    if (process.stdout.isTTY) this.draw(lines.map(({ text }) => text));
    else this.append(lines);
    this.timer = setTimeout(() => {
      void this.poll();
    }, pollMs);
  }

  private draw(lines: readonly string[]): void {
    const up = this.drawn === 0 ? "" : `\u001b[${this.drawn}A`;
    process.stdout.write(up + lines.map((text) => `\u001b[2K${text}\n`).join(""));
    this.drawn = lines.length;
  }

  private append(lines: readonly { text: string; change: string }[]): void {
    lines.forEach(({ text, change }, index) => {
      if (this.said.get(index) === change) return;
      this.said.set(index, change);
      console.log(text);
    });
  }
}

/** One line, and what of it is worth saying again when it changes. */
function line(member: LocalMember, status: GetStatusResponse | undefined): { text: string; change: string } {
  const name = `member ${member.id}  ${member.address}  `;
  if (status === undefined) {
    const silent = member.hasAnswered ? "does not answer" : "starts";
    const state = member.end === undefined ? silent : `DEAD: ${member.end}`;
    return { text: name + state, change: state };
  }
  const { header, attachedSessions, recoveringReason } = status;
  const role = ServerRole[status.role].toLowerCase();
  const why = recoveringReason === "" ? "" : `  (${recoveringReason})`;
  const clients = `${attachedSessions} ${attachedSessions === 1n ? "client" : "clients"}`;
  const epoch = header?.epoch ?? 0n;
  const text = `${name}${role.padEnd(10)}  epoch ${epoch}  zxid ${header?.zxid ?? 0n}  ${clients}${why}`;
  return { text, change: `${role} ${epoch}${why}` };
}
