/**
 * What a directory becomes as znodes. A directory becomes a znode without data, a file a znode with its bytes, and a
 * file named `.zabtree-data` the data of the znode of its directory, which is how `export` writes znodes that have
 * both data and children.
 *
 * Links are followed, so that an export holds the same bytes under every name. A link to a directory that it lies in
 * would never end, and is left out.
 */
import { readdir, stat } from "node:fs/promises";
import type { Dirent, Stats } from "node:fs";
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

export interface ImportOptions {
  /** Follow links; otherwise all of them are left out. */
  readonly followLinks: boolean;
}

interface Walk extends ImportOptions {
  readonly znodes: PlannedZnode[];
  readonly skipped: string[];
  readonly problems: string[];
}

/** A directory being visited, with the directories it lies in. */
interface Place {
  readonly directory: string;
  readonly path: string;
  /** Device and inode of each directory on the way, this one included. */
  readonly ancestors: readonly string[];
}

/** Looks at everything below `directory`. Throws when something cannot be a znode: nothing has been written then. */
export async function planImport(
  directory: string,
  path: string,
  { followLinks }: ImportOptions = { followLinks: true },
): Promise<ImportPlan> {
  const problem = pathProblem(path);
  if (problem !== undefined) throw new CommandError(`${JSON.stringify(path)} is no path of a znode: ${problem}`);
  const walk: Walk = { followLinks, znodes: [], skipped: [], problems: [] };
  const top = await stat(directory).catch(() => undefined);
  await visitDirectory(walk, { directory, path, ancestors: top === undefined ? [] : [identityOf(top)] });
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

async function visitDirectory(walk: Walk, place: Place): Promise<void> {
  const entries = await entriesOf(place.directory);
  const dataFile = entries.find((entry) => entry.name === dataFileName);
  const data = dataFile === undefined ? undefined : await look(walk, place, dataFile);
  if (data?.isFile === true)
    walk.znodes.push({ path: place.path, file: data.file, bytes: data.bytes, directory: true });
  else walk.znodes.push({ path: place.path, file: undefined, bytes: 0, directory: true });
  for (const entry of entries) {
    if (entry !== dataFile) await visitEntry(walk, place, entry);
  }
}

async function visitEntry(walk: Walk, place: Place, entry: Dirent): Promise<void> {
  const path = childPath(place.path, entry.name);
  const problem = nameProblem(entry.name) ?? pathProblem(path);
  if (problem !== undefined) {
    walk.problems.push(`${join(place.directory, entry.name)}: ${problem}`);
    return;
  }
  const found = await look(walk, place, entry);
  if (found === undefined) return;
  if (found.isFile) walk.znodes.push({ path, file: found.file, bytes: found.bytes, directory: false });
  else await visitDirectory(walk, { directory: found.file, path, ancestors: [...place.ancestors, found.identity] });
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

interface Found {
  readonly file: string;
  readonly isFile: boolean;
  readonly bytes: number;
  readonly identity: string;
}

/** What is behind an entry, links followed; undefined when it is left out. */
async function look(walk: Walk, place: Place, entry: Dirent): Promise<Found | undefined> {
  const file = join(place.directory, entry.name);
  const skip = (why: string): undefined => {
    walk.skipped.push(`${file}: ${why}`);
  };
  if (entry.isSymbolicLink() && !walk.followLinks) return skip("a link");
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) return skip(entry.isSymbolicLink() ? "a link to nothing" : "cannot be read");
  const identity = identityOf(found);
  if (found.isDirectory()) {
    if (place.ancestors.includes(identity)) return skip("a link to a directory that it lies in");
    return { file, isFile: false, bytes: 0, identity };
  }
  if (!found.isFile()) return skip("not a regular file");
  if (found.size > limits.data) {
    walk.problems.push(`${file}: it has ${found.size} bytes; a znode holds at most ${limits.data}`);
    return undefined;
  }
  return { file, isFile: true, bytes: found.size, identity };
}

function identityOf({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}
