/**
 * The main job on real input: a directory goes in, the server is killed while it goes in again, and what comes out is
 * the same, byte for byte. Then anybody's SQLite reads the same znodes from the files.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { runProgram, scratchDirectory, Server, until } from "./harness.ts";

/** Installed with tzdata: hundreds of small binary files, directories and links. */
const zoneinfo = "/usr/share/zoneinfo";

/** Every file below a directory with a hash of its bytes, links followed, by path. */
async function filesOf(directory: string, prefix = ""): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    if (await isDangling(path)) continue;
    if ((await stat(path)).isDirectory()) {
      for (const [inner, hash] of await filesOf(path, `${prefix}${name}/`)) files.set(inner, hash);
    } else
      files.set(
        `${prefix}${name}`,
        createHash("sha256")
          .update(await readFile(path))
          .digest("hex"),
      );
  }
  return files;
}

/** Import leaves out links to nothing, and says so. */
async function isDangling(path: string): Promise<boolean> {
  const target = await readlink(path).catch(() => undefined);
  return target !== undefined && !existsSync(path);
}

it("imports the time zones, survives kill -9, exports them, and leaves files that sqlite3 reads", async () => {
  expect(existsSync(join(zoneinfo, "UTC")), "tzdata is installed").toBe(true);
  const server = await Server.start();
  const scratch = await scratchDirectory();

  const first = await server.command(["import", zoneinfo, "/zoneinfo", "--json"]).result;
  expect(first).toMatchObject({ code: 0 });
  const imported = first.json() as { files: number; directories: number };
  expect(imported.files).toBeGreaterThan(300);

  // The second import overwrites: it is in the middle when some of the znodes have a new version.
  const connection = await server.connect();
  const zxidBefore = (await connection.cluster.getStatus({})).committedZxid;
  const second = server.command(["import", zoneinfo, "/zoneinfo"]);
  const running = until(
    "the second import writes",
    async () => {
      return (await connection.cluster.getStatus({})).committedZxid > zxidBefore + 1n;
    },
    { everyMs: 1 },
  );
  await running;
  await server.kill();
  expect(second.process.exitCode).toBeNull();
  second.stop("SIGKILL");
  await second.result;

  await server.start();
  const again = await server.connect();
  // Between the two imports, every znode is whole: its data is that of the first or the second.
  const znodes = new Map<string, string>();
  for await (const piece of again.subtreePieces("/zoneinfo", { includeData: true })) {
    for (const { path, data } of piece) {
      if (data === undefined) continue;
      znodes.set(path.slice("/zoneinfo/".length), createHash("sha256").update(data).digest("hex"));
    }
  }
  const files = await filesOf(zoneinfo);
  expect(files.size).toBe(imported.files);
  expect(znodes).toEqual(files);

  expect(await server.command(["import", zoneinfo, "/zoneinfo"]).result).toMatchObject({ code: 0 });
  const out = join(scratch, "out");
  expect(await server.command(["export", "/zoneinfo", out]).result).toMatchObject({ code: 0 });
  expect(await filesOf(out)).toEqual(files);

  const { count } = await again.tree.countDescendants({ path: "/zoneinfo" });
  const { znodes: total } = await again.cluster.getStatus({});
  again.close();
  expect(await server.stop()).toMatchObject({ code: 0, stderr: "" });

  const query = async (file: string, sql: string): Promise<string[]> =>
    (await runProgram("sqlite3", ["-readonly", join(server.data, file), sql])).trimEnd().split("\n");
  // Alive is what was created more often than deleted.
  const alive = `SELECT count(*) FROM (SELECT path FROM txn WHERE kind IN ('create', 'delete') AND path GLOB '/zoneinfo/*'
    GROUP BY path HAVING sum(CASE kind WHEN 'create' THEN 1 ELSE -1 END) = 1)`;
  expect(await query("log.db", alive)).toEqual([String(count)]);
  expect(await query("tree.db", "SELECT count(*) FROM znode_path WHERE path GLOB '/zoneinfo/*'")).toEqual([
    String(count),
  ]);
  expect(await query("tree.db", "SELECT count(*) FROM znode_path")).toEqual([String(total)]);
  // And the bytes: of one file, from both files.
  const utc = (await readFile(join(zoneinfo, "UTC"))).toString("hex").toUpperCase();
  expect(await query("tree.db", "SELECT hex(data) FROM znode_path WHERE path = '/zoneinfo/UTC'")).toEqual([utc]);
  const last = "SELECT hex(data) FROM txn WHERE path = '/zoneinfo/UTC' AND data IS NOT NULL ORDER BY zxid DESC LIMIT 1";
  expect(await query("log.db", last)).toEqual([utc]);
}, 120_000);
