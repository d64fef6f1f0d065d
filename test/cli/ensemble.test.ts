/** A local ensemble in one command, the state of its servers, and what a list of members must look like. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { freePort, Running } from "./harness.ts";

let scratch: string;
let running: Running | undefined;

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "zabtree-ensemble-"));
});

afterEach(async () => {
  running?.stop("SIGKILL");
  await running?.result;
  running = undefined;
  await rm(scratch, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

/** A port such that those of three servers are free, most likely. */
async function basePort(): Promise<number> {
  return Math.min((await freePort()) + 2, 64_000);
}

const run = async (...args: string[]) => await new Running(args).result;

it("runs three servers, shows how they do, notices a death, and ends all on Ctrl-C", async () => {
  const base = await basePort();
  running = new Running(["ensemble", "--data", scratch, "--base-port", String(base)]);
  const servers = (await running.until(/--server (\S+) status/))[1]!;
  expect(servers).toBe([0, 10, 20].map((offset) => `127.0.0.1:${base + offset}`).join(","));
  await running.until(/member \d {2}\S+ {2}leading +epoch 1 /);
  await running.until(/member \d {2}\S+ {2}following +epoch 1 /);
  await run("create", "/hello", "world", "--server", `127.0.0.1:${base}`);
  expect(await run("get", "/hello", "--server", `127.0.0.1:${base + 20}`)).toMatchObject({ code: 0, stdout: "world" });

  const table = await run("status", "--server", servers);
  expect(table).toMatchObject({ code: 0, stderr: "" });
  expect(table.stdout).toMatch(/^cluster [0-9a-f]{32}: leader \d, 3 voters, quorum 2, 3 of 3 members answer\n/);
  for (const offset of [0, 10, 20]) expect(table.stdout).toContain(`127.0.0.1:${base + offset}`);
  const json = (await run("status", "--server", servers, "--json")).json() as {
    leaderId: number;
    members: { memberId: number; role: string; answers: boolean; digest: string }[];
  };
  expect(json.members.map(({ memberId, role }) => [memberId, role])).toEqual(
    [1, 2, 3].map((id) => [id, id === json.leaderId ? "LEADING" : "FOLLOWING"]),
  );
  expect((await run("status", "--server", servers, "--details")).stdout).toContain("3 voters, quorum 2");

  // The port of member 2 belongs to one process.
  const victim = json.members.find(({ memberId }) => memberId !== json.leaderId && memberId !== 1)!.memberId;
  const pid = await pidOf(victim, base);
  process.kill(pid, "SIGKILL");
  await running.until(new RegExp(`member ${victim} .*DEAD: killed by SIGKILL`));
  const after = await run("status", "--server", servers);
  expect(after.stdout).toContain("2 of 3 members answer");
  expect(after.stdout).toMatch(/does not answer, heard of .* ago/);

  running.stop("SIGINT");
  const result = await running.result;
  expect(result).toMatchObject({ code: 0 });
  expect(result.stdout).toMatch(/all servers have stopped\n$/);

  const other = await run("ensemble", "--nodes", "5", "--data", scratch, "--base-port", String(base));
  expect(other).toMatchObject({ code: 1 });
  expect(other.stderr).toContain("take --nodes 3");
}, 60_000);

/** The process of a member, by the lines of `ps`. */
async function pidOf(member: number, base: number): Promise<number> {
  const { execFile } = await import("node:child_process");
  const { promisify } = await import("node:util");
  const { stdout } = await promisify(execFile)("ps", ["-eo", "pid,args"]);
  const line = stdout
    .split("\n")
    .find((text) => text.includes(`serve --id ${member} --members 1=127.0.0.1:${base + 1},`));
  return Number(line!.trim().split(" ")[0]);
}

it("leaves no server behind, however it ends", async () => {
  const base = await basePort();
  running = new Running(["ensemble", "--data", scratch, "--base-port", String(base)]);
  await running.until(/leading/);
  const pids = await Promise.all([1, 2, 3].map((member) => pidOf(member, base)));
  running.stop("SIGKILL");
  await running.result;
  const isGone = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  };
  for (let wait = 0; wait < 200 && !pids.every(isGone); wait++) await new Promise((resolve) => setTimeout(resolve, 25));
  expect(pids.map(isGone)).toEqual([true, true, true]);
}, 60_000);

it.each([
  [["--id", "1"], 2, /belong together/],
  [["--members", "1=127.0.0.1:4282"], 2, /belong together/],
  [["--peer-listen", "127.0.0.1:1"], 2, /needs --id and --members/],
  [["--ensemble", "3", "--listen", "127.0.0.1:0"], 2, /does not go with --ensemble/],
  [["--id", "1", "--members", "nonsense"], 1, /ID=HOST:PORT/],
  [["--id", "4", "--members", "1=127.0.0.1:4282,2=127.0.0.1:4292"], 1, /names no such member/],
  [["--id", "1", "--members", "1=127.0.0.1:4282,1=127.0.0.1:4292"], 1, /named twice/],
  [["--id", "1", "--members", "1=127.0.0.1:4282,2=127.0.0.1:4282"], 1, /named twice/],
  [["--id", "1", "--members", "1=127.0.0.1:4282:observer"], 1, /no voter/],
  [["--id", "1", "--members", "1=127.0.0.1:0"], 1, /needs a port/],
  [["--id", "1", "--members", "1=10.0.0.1:4282"], 1, /--peer-tls-cert/],
  [["--id", "1", "--members", "1=127.0.0.1:1", "--peer-tls-cert", "x.pem"], 2, /belong together/],
])("refuses %j", async (flags, code, message) => {
  const refused = await run("serve", "--data", scratch, "--http", "off", ...flags);
  expect(refused).toMatchObject({ code, stdout: "" });
  expect(refused.stderr).toMatch(message);
});
