/** `import` and `export`: what comes out is what went in, also when the server dies in between. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { TestServer } from "./harness.ts";

let server: TestServer;
let scratch: string;

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "zabtree-files-"));
  server = await TestServer.start();
});

afterEach(async () => {
  await server.remove();
  await rm(scratch, { recursive: true, force: true });
});

/** Every file below a directory with a hash of its bytes, links followed; empty directories with a /. */
async function hashes(directory: string, prefix = ""): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const names = (await readdir(directory)).sort();
  if (names.length === 0) found.set(`${prefix}/`, "");
  for (const name of names) {
    const path = join(directory, name);
    if ((await stat(path)).isDirectory()) {
      for (const [inner, hash] of await hashes(path, `${prefix}/${name}`)) found.set(inner, hash);
    } else {
      found.set(
        `${prefix}/${name}`,
        createHash("sha256")
          .update(await readFile(path))
          .digest("hex"),
      );
    }
  }
  return found;
}

/** A tree of files with all byte values, large enough that an import takes many transactions. */
async function makeTree(directory: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const folder = join(directory, `d${index % 20}`, `e${index % 7}`);
    await mkdir(folder, { recursive: true });
    const bytes = Buffer.alloc((index * 37) % 5000, index % 256);
    await writeFile(join(folder, `file ${index}`), bytes);
  }
  await mkdir(join(directory, "empty"));
  await writeFile(join(directory, "largest"), Buffer.alloc(1024 * 1024, 7));
}

it("gives back a directory byte for byte, and an import over it changes nothing but versions", async () => {
  const from = join(scratch, "from");
  await makeTree(from, 600);
  const imported = (await server.run(["import", from, "/app/files", "--json"])).json();
  expect(imported).toMatchObject({ files: 601, skipped: [] });
  expect(await server.ok("import", from, "/app/files")).toMatch(/^imported 601 files, \d+ directories, .+ in .+ s\n$/);
  const to = join(scratch, "to");
  expect(await server.ok("export", "/app/files", to)).toMatch(/^exported 601 files, \d+ directories, .+ in .+ s\n$/);
  expect(await hashes(to)).toEqual(await hashes(from));
  const again = await server.run(["export", "/app/files", to]);
  expect(again).toMatchObject({ code: 1, stdout: "" });
  expect(again.stderr).toContain("--force");
});

it("goes on when the server is killed and started again", async () => {
  const from = join(scratch, "from");
  await makeTree(from, 3000);
  const running = server.spawn(["import", from, "/t"]);
  while (!(await server.ok("ls", "/")).includes("t\n")) await new Promise((resolve) => setTimeout(resolve, 5));
  await server.stop("SIGKILL");
  await server.start();
  expect(await running.result).toMatchObject({ code: 0 });
  const to = join(scratch, "to");
  await server.ok("export", "/t", to);
  expect(await hashes(to)).toEqual(await hashes(from));
}, 60_000);

it("fails with exit code 3 when the server stays away, and completes when run again", async () => {
  const from = join(scratch, "from");
  await makeTree(from, 3000);
  const running = server.spawn(["import", from, "/t", "--timeout", "1"]);
  while (!(await server.ok("ls", "/")).includes("t\n")) await new Promise((resolve) => setTimeout(resolve, 5));
  await server.stop("SIGKILL");
  expect((await running.result).code).toBe(3);
  await server.start();
  await server.ok("import", from, "/t");
  const to = join(scratch, "to");
  await server.ok("export", "/t", to);
  expect(await hashes(to)).toEqual(await hashes(from));
}, 60_000);

it("keeps data of znodes with children, and turns files into directories and back", async () => {
  const from = join(scratch, "from");
  await mkdir(join(from, "both"), { recursive: true });
  await writeFile(join(from, "both", ".zabtree-data"), "of both");
  await writeFile(join(from, "both", "leaf"), "");
  await mkdir(join(from, "was-file"));
  await server.ok("create", "/x", "stays");
  await server.ok("create", "/x/was-file", "goes");
  await server.ok("import", from, "/x");
  expect(await server.ok("get", "/x")).toBe("stays");
  expect(await server.ok("get", "/x/both")).toBe("of both");
  expect((await server.run(["get", "/x/was-file", "--json"])).json()).toMatchObject({ data: null });
  const to = join(scratch, "to");
  await server.ok("export", "/x", to);
  expect([...(await hashes(to)).keys()]).toEqual(["/.zabtree-data", "/both/.zabtree-data", "/both/leaf", "/was-file/"]);
});

it("writes nothing when a file is too large", async () => {
  const from = join(scratch, "from");
  await mkdir(from);
  await writeFile(join(from, "a"), "fits");
  await writeFile(join(from, "big"), Buffer.alloc(1024 * 1024 + 1));
  const refused = await server.run(["import", from, "/t"]);
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toContain("big: it has 1048577 bytes");
  expect((await server.run(["stat", "/t"])).code).toBe(1);
});

it("exports the whole tree, and imports it into another server", async () => {
  await server.ok("create", "/a", "1");
  await server.ok("create", "/a/b", "2");
  const to = join(scratch, "to");
  await server.ok("export", "/", to);
  expect([...(await hashes(to)).keys()]).toEqual(["/a/.zabtree-data", "/a/b"]);
  const other = await TestServer.start();
  try {
    await other.ok("import", to, "/");
    expect(await other.ok("ls", "-R", "/a")).toBe("/a\n/a/b\n");
    expect(await other.ok("get", "/a")).toBe("1");
  } finally {
    await other.remove();
  }
});

const zoneinfo = "/usr/share/zoneinfo";

it.skipIf(!existsSync(join(zoneinfo, "UTC")))(
  "carries the time zones of this machine",
  async () => {
    await server.ok("import", zoneinfo, "/zoneinfo");
    const to = join(scratch, "to");
    await server.ok("export", "/zoneinfo", to);
    expect((await hashes(to)).size).toBeGreaterThan(100);
    expect(await hashes(to)).toEqual(await hashes(zoneinfo));
  },
  60_000,
);
