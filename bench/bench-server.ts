/** A real server process: started, measured, stopped or killed. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect } from "../src/client/index.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Processes that must not outlive this one. */
const children = new Set<ChildProcess>();

process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

function owned<Child extends ChildProcess>(child: Child): Child {
  children.add(child);
  child.once("exit", () => children.delete(child));
  return child;
}

/** A server process that does not outlive this one. */
export function spawnServer(args: readonly string[]) {
  const command = [join(root, "bin", "zabtree.js"), "serve", ...args];
  return owned(spawn(process.execPath, command, { stdio: ["ignore", "pipe", "inherit"] }));
}

export class BenchServer {
  readonly address: string;
  private readonly child: ChildProcess;
  private readonly spawnedAt: number;

  private constructor(child: ChildProcess, spawnedAt: number, address: string) {
    this.child = child;
    this.spawnedAt = spawnedAt;
    this.address = address;
  }

  /** Resolves when the server says that it is ready. */
  static async start(dataDir: string): Promise<BenchServer> {
    const spawnedAt = performance.now();
    const child = spawnServer(["--data", dataDir, "--listen", "127.0.0.1:0", "--http", "off"]);
    const address = await new Promise<string>((resolve, reject) => {
      let output = "";
      child.stdout.on("data", (text: Buffer) => {
        output += text.toString();
        const ready = /is ready on (\S+)/.exec(output)?.[1];
        if (ready !== undefined) resolve(ready.replace(/,$/, ""));
      });
      child.once("exit", (code, signal) => {
        reject(new Error(`the server ended at its start (${String(signal ?? code)}): ${output}`));
      });
    });
    return new BenchServer(child, spawnedAt, address);
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Reads a znode, over a connection of its own; returns how long after the process was spawned the answer came. */
  async firstGet(path: string): Promise<number> {
    const connection = await connect({ server: this.address });
    await connection.tree.getData({ path });
    const elapsed = performance.now() - this.spawnedAt;
    connection.close();
    return elapsed;
  }

  /** Ends the process and waits for it. Returns how long that took, milliseconds. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<number> {
    const start = performance.now();
    const exited =
      this.child.exitCode === null && this.child.signalCode === null ? once(this.child, "exit") : undefined;
    this.child.kill(signal);
    await exited;
    if (signal === "SIGTERM" && this.child.exitCode !== 0) {
      throw new Error(`the server ended with code ${String(this.child.exitCode)}`);
    }
    return performance.now() - start;
  }
}

/** Runs a load generator of this folder in a process of its own; returns the JSON it prints. */
export async function drive<Result>(
  script: string,
  options: Readonly<Record<string, string | number>>,
): Promise<Result> {
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const flags = args.filter((arg) => arg !== "true");
  const child = owned(
    spawn(process.execPath, [join(root, "bench", script), ...flags], { stdio: ["ignore", "pipe", "inherit"] }),
  );
  let output = "";
  child.stdout.on("data", (text: Buffer) => {
    output += text.toString();
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${script} ${flags.join(" ")} ended with code ${String(code)}`);
  return JSON.parse(output.trim().split("\n").at(-1)!) as Result;
}
