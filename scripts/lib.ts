/** What the scripts of this folder share: running tools, and ending with one line that states the result. */
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The top of the repository. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

export interface Outcome {
  readonly code: number;
  /** Standard output and standard error, as they came. */
  readonly output: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Shows the output while it comes instead of keeping it. */
  readonly show?: boolean;
}

/** Runs a program to its end. Tools installed by npm are found by their name, and run on the runtime npm scripts use. */
export function run(command: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [program = "", ...args] = command;
  const path = [join(root, "node_modules", ".bin"), process.env.PATH ?? ""].join(":");
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.cwd ?? root,
      env: { ...process.env, ...options.env, PATH: path },
      stdio: ["ignore", options.show === true ? "inherit" : "pipe", options.show === true ? "inherit" : "pipe"],
    });
    const chunks: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr?.on("data", (chunk: Buffer) => chunks.push(chunk));
    const finish = (code: number, extra = ""): void => {
      resolve({ code, output: Buffer.concat(chunks).toString() + extra });
    };
    child.on("error", (error) => {
      finish(127, `${program}: ${error.message}\n`);
    });
    child.on("close", (code) => {
      finish(code ?? 1);
    });
  });
}

/** Runs a program that must succeed. */
export async function must(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, output } = await run(command, options);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with code ${String(code)}\n${output}`);
  return output;
}

/** Prints the last line of a command and sets the exit code. `.ci/run` adds these lines up. */
export function finish(name: string, passed: number, failed: number): void {
  console.log(`${name}: ${String(passed)} passed, ${String(failed)} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

/** Runs the body of a script that has no tests to count; states success or failure on the last line. */
export async function stating(name: string, body: () => Promise<string>): Promise<void> {
  try {
    console.log(`${name}: ${await body()}`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    console.log(`${name}: failed`);
    process.exitCode = 1;
  }
}
