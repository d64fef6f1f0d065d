/**
 * What a directory becomes as znodes. A directory becomes a znode without data, a file a znode with its bytes, and a
 * file named `.zabtree-data` the data of the znode of its directory, which is how `export` writes znodes that have
 * both data and children.
 *
 * Links to regular files are followed, so that a later export holds the bytes under every name. Links to directories
 * are left out: following them could go round in circles.
 */
import { readdir, stat } from "node:fs/promises";
import type { Dirent } from "node:fs";
import { join } from "node:path";
import { limits } from "../base/limits.ts";
import { childPath, pathProblem } from "./znode-path.ts";
import { CommandError } from "./failure.ts";

/** Name of the file that holds the data of its directory's znode. */
export const dataFileName = ".zabtree-data";

export interface PlannedZnode {
  /** Path of the znode. */
  readonly path: string;
  /** The file its data comes from; undefined for a directory without data. */
  readonly file: string | undefined;
  /** Length of that file. */
  readonly bytes: number;
  /** Whether it comes from a directory. */
  readonly directory: boolean;
}

export interface ImportPlan {
  /** Parents before children; the znode of the directory itself comes first. */
  readonly znodes: readonly PlannedZnode[];
  readonly files: number;
  readonly directories: number;
  readonly bytes: number;
  /** What was left out, and why. */
  readonly skipped: readonly string[];
}

interface Walk {
  readonly znodes: PlannedZnode[];
  readonly skipped: string[];
  readonly problems: string[];
}

/** Looks at everything below `directory`. Throws when something cannot be a znode: nothing has been written then. */
export async function planImport(directory: string, path: string): Promise<ImportPlan> {
  const problem = pathProblem(path);
  if (problem !== undefined) throw new CommandError(`${JSON.stringify(path)} is no path of a znode: ${problem}`);
  const walk: Walk = { znodes: [], skipped: [], problems: [] };
  await visitDirectory(walk, directory, path);
  if (walk.problems.length > 0) throw new CommandError(problemText(walk.problems));
  const files = walk.znodes.filter((znode) => !znode.directory);
  return {
    znodes: walk.znodes,
    files: files.length,
    directories: walk.znodes.length - files.length,
    bytes: walk.znodes.reduce((sum, znode) => sum + znode.bytes, 0),
    skipped: walk.skipped,
  };
}

const problemsShown = 20;

function problemText(problems: readonly string[]): string {
  const shown = problems.slice(0, problemsShown).map((problem) => `  ${problem}`);
  const more = problems.length - shown.length;
  if (more > 0) shown.push(`  and ${more} more`);
  return `nothing was imported, because of\n${shown.join("\n")}`;
}

async function visitDirectory(walk: Walk, directory: string, path: string): Promise<void> {
  const entries = await entriesOf(directory);
  const dataFile = entries.find((entry) => entry.name === dataFileName);
  const data = dataFile === undefined ? undefined : await regularFile(walk, directory, dataFile);
  walk.znodes.push({ path, file: data?.file, bytes: data?.bytes ?? 0, directory: true });
  for (const entry of entries) {
    if (entry === dataFile) continue;
    const at = join(directory, entry.name);
    const child = childPath(path, entry.name);
    const problem = nameProblem(entry.name) ?? pathProblem(child);
    if (problem !== undefined) {
      walk.problems.push(`${at}: ${problem}`);
    } else if (entry.isDirectory()) {
      await visitDirectory(walk, at, child);
    } else {
      const file = await regularFile(walk, directory, entry);
      if (file !== undefined) walk.znodes.push({ path: child, ...file, directory: false });
    }
  }
}

async function entriesOf(directory: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    // Any fixed order will do; this one is the tree's.
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    throw new CommandError(`cannot read ${directory}: ${(error as Error).message}`);
  }
}

/** Names that are not UTF-8 are read with U+FFFD in the place of what is wrong. */
function nameProblem(name: string): string | undefined {
  return name.includes("\uFFFD") ? "its name is not UTF-8" : undefined;
}

interface RegularFile {
  readonly file: string;
  readonly bytes: number;
}

/** The file behind an entry; undefined when it is left out. */
async function regularFile(walk: Walk, directory: string, entry: Dirent): Promise<RegularFile | undefined> {
  const file = join(directory, entry.name);
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) {
    walk.skipped.push(`${file}: ${entry.isSymbolicLink() ? "a link to nothing" : "cannot be read"}`);
  } else if (!found.isFile()) {
    walk.skipped.push(`${file}: ${found.isDirectory() ? "a link to a directory" : "not a regular file"}`);
  } else if (found.size > limits.data) {
    walk.problems.push(`${file}: it has ${found.size} bytes; a znode holds at most ${limits.data}`);
  } else {
    return { file, bytes: found.size };
  }
  return undefined;
}
