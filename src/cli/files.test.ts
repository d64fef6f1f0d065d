/** Import and export as mappings between directories and znodes, without a server between them. */
import { create } from "@bufbuild/protobuf";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ZnodeSchema, type Znode } from "../../gen/ts/zabtree/v1/common_pb.js";
import { FileWriter } from "./export-files.ts";
import { planImport } from "./import-plan.ts";

let scratch: string;

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "zabtree-files-"));
});

afterEach(async () => {
  await rm(scratch, { recursive: true });
});

/** Makes files below a directory; a path ending in / is an empty directory. */
async function makeFiles(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    await mkdir(name.endsWith("/") ? path : join(path, ".."), { recursive: true });
    if (!name.endsWith("/")) await writeFile(path, content);
  }
}

/** All files below a directory with their content, directories that are empty with a / behind them. */
async function filesBelow(directory: string, prefix = ""): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of (await readdir(directory)).sort()) {
    const path = join(directory, name);
    if ((await stat(path)).isDirectory()) {
      const inner = await filesBelow(path, `${prefix}${name}/`);
      Object.assign(found, Object.keys(inner).length === 0 ? { [`${prefix}${name}/`]: "" } : inner);
    } else {
      found[prefix + name] = await readFile(path, "utf8");
    }
  }
  return found;
}

function znode(path: string, data?: string, numChildren = 0): Znode {
  return create(ZnodeSchema, {
    path,
    stat: { numChildren },
    ...(data === undefined ? {} : { data: new TextEncoder().encode(data) }),
  });
}

describe("planning an import", () => {
  it("makes a znode of everything, parents first", async () => {
    const from = join(scratch, "from");
    await makeFiles(from, { "b/c": "xy", a: "", "empty/": "", "b/.zabtree-data": "of b" });
    const plan = await planImport(from, "/top");
    expect(plan.znodes).toEqual([
      { path: "/top", file: undefined, bytes: 0, directory: true },
      { path: "/top/a", file: join(from, "a"), bytes: 0, directory: false },
      { path: "/top/b", file: join(from, "b/.zabtree-data"), bytes: 4, directory: true },
      { path: "/top/b/c", file: join(from, "b/c"), bytes: 2, directory: false },
      { path: "/top/empty", file: undefined, bytes: 0, directory: true },
    ]);
    expect(plan).toMatchObject({ files: 2, directories: 3, bytes: 6, skipped: [] });
  });

  it("follows links, and skips what cannot be followed", async () => {
    const from = join(scratch, "from");
    await makeFiles(scratch, { "from/dir/file": "inside", outside: "outside" });
    await symlink("dir/file", join(from, "in"));
    await symlink(join(scratch, "outside"), join(from, "out"));
    await symlink("dir", join(from, "same"));
    await symlink("..", join(from, "dir", "up"));
    await symlink("nowhere", join(from, "broken"));
    const plan = await planImport(from, "/");
    expect(plan.znodes.map(({ path, bytes }) => [path, bytes])).toEqual([
      ["/", 0],
      ["/dir", 0],
      ["/dir/file", 6],
      ["/in", 6],
      ["/out", 7],
      ["/same", 0],
      ["/same/file", 6],
    ]);
    expect(plan.skipped).toEqual([
      `${join(from, "broken")}: a link to nothing`,
      `${join(from, "dir", "up")}: a link to a directory that it lies in`,
      `${join(from, "same", "up")}: a link to a directory that it lies in`,
    ]);
    const without = await planImport(from, "/", { followLinks: false });
    expect(without.znodes.map(({ path }) => path)).toEqual(["/", "/dir", "/dir/file"]);
    expect(without.skipped).toHaveLength(5);
  });

  it("names all that cannot be a znode before anything is written", async () => {
    const from = join(scratch, "from");
    await makeFiles(from, { ok: "", "bad\nname": "", "\u{1F600}": "" });
    await writeFile(join(from, "big"), Buffer.alloc(1024 * 1024 + 1));
    await writeFile(Buffer.concat([Buffer.from(`${from}/`), Buffer.from([0xff])]), "");
    const failure = await planImport(from, "/top").catch((error: unknown) => String(error));
    expect(failure).toContain("nothing was imported");
    expect(failure).toContain("big: it has 1048577 bytes; a znode holds at most 1048576");
    expect(failure).toContain("U+000A");
    expect(failure).toContain("U+D83D");
    expect(failure).toContain("not UTF-8");
    expect(failure).not.toContain("/ok");
  });

  it("refuses a path that is none, and a directory that is none", async () => {
    await expect(planImport(scratch, "top")).rejects.toThrow("begins with /");
    await expect(planImport(join(scratch, "missing"), "/top")).rejects.toThrow("cannot read");
  });
});

describe("writing an export", () => {
  it("makes files, directories, and data files of what is both", async () => {
    const to = join(scratch, "to");
    const writer = new FileWriter(to, "/top", false);
    await writer.prepare();
    await writer.write([znode("/top", undefined, 3), znode("/top/both", "data", 1), znode("/top/both/leaf", "")]);
    await writer.write([znode("/top/empty"), znode("/top/file", "text")]);
    expect(await filesBelow(to)).toEqual({ "both/.zabtree-data": "data", "both/leaf": "", "empty/": "", file: "text" });
    expect(writer).toMatchObject({ files: 2, directories: 3, bytes: 8 });
  });

  it("keeps the data of the topmost znode, and exports the root", async () => {
    const to = join(scratch, "to");
    const writer = new FileWriter(to, "/", false);
    await writer.prepare();
    await writer.write([znode("/", "of the root", 1), znode("/a", "1")]);
    expect(await filesBelow(to)).toEqual({ ".zabtree-data": "of the root", a: "1" });
  });

  it("moves a file aside when its znode gets a child during the export", async () => {
    const to = join(scratch, "to");
    const writer = new FileWriter(to, "/", false);
    await writer.prepare();
    await writer.write([znode("/", undefined, 1), znode("/a", "1"), znode("/a/b", undefined, 1), znode("/a/b/c", "2")]);
    expect(await filesBelow(to)).toEqual({ "a/.zabtree-data": "1", "a/b/c": "2" });
    expect(writer).toMatchObject({ files: 1, directories: 3 });
  });

  it("touches no directory that holds something, unless forced", async () => {
    const to = join(scratch, "to");
    await makeFiles(to, { old: "old", a: "before" });
    await expect(new FileWriter(to, "/", false).prepare()).rejects.toThrow("--force");
    const writer = new FileWriter(to, "/", true);
    await writer.prepare();
    await writer.write([znode("/", undefined, 1), znode("/a", "after")]);
    expect(await filesBelow(to)).toEqual({ old: "old", a: "after" });
  });

  it("refuses a znode whose name means something else in files", async () => {
    const writer = new FileWriter(join(scratch, "to"), "/", false);
    await writer.prepare();
    await expect(writer.write([znode("/", undefined, 1), znode("/.zabtree-data", "x")])).rejects.toThrow(
      "cannot be a file",
    );
  });
});

it("gives back what was imported", async () => {
  const from = join(scratch, "from");
  await makeFiles(from, { "a/b/c": "1", "a/b/.zabtree-data": "2", "a/d": "", "e/": "", ".zabtree-data": "3" });
  const plan = await planImport(from, "/x");
  const children = (path: string) => plan.znodes.filter((one) => one.path.replace(/\/[^/]*$/, "") === path).length;
  const znodes = await Promise.all(
    plan.znodes.map(async ({ path, file }) =>
      znode(path, file === undefined ? undefined : await readFile(file, "utf8"), children(path)),
    ),
  );
  const to = join(scratch, "to");
  const writer = new FileWriter(to, "/x", false);
  await writer.prepare();
  await writer.write(znodes);
  expect(await filesBelow(to)).toEqual(await filesBelow(from));
});
