import type { Command } from "commander";
import type { Connection, Stat } from "../../client/index.ts";
import { childPath } from "../znode-path.ts";
import { consistencyOf, consistencyOption, type ConsistencyFlags } from "../consistency.ts";
import { time } from "../format.ts";
import { statJson, toJson } from "../json.ts";
import { bold, type Output } from "../output.ts";
import { finishClientCommand, optionsOf, withConnection } from "../settings.ts";

interface LsFlags extends ConsistencyFlags {
  readonly recursive?: boolean;
  readonly long?: boolean;
}

export function registerLs(program: Command): void {
  const command = program
    .command("ls")
    .summary("list the children of a znode, or a whole subtree")
    .description(
      "Lists the names of a znode's children in byte order; with --recursive the paths of the znode and all its " +
        "descendants, parents before children. With --json one object a line.",
    )
    .argument("[path]", "path of the znode", "/")
    .option("-R, --recursive", "list the whole subtree")
    .option("-l, --long", "add version, number of children, length of the data, and when the data was last set")
    .addOption(consistencyOption())
    .action(async (path: string, _options: unknown, command: Command) => {
      const flags = optionsOf<LsFlags>(command);
      await withConnection(command, async (connection, output) => {
        if (flags.long === true && !output.json) await output.line(bold(heading));
        const entries = flags.recursive === true ? subtree(connection, path, flags) : children(connection, path, flags);
        for await (const page of entries) await print(page, flags, output);
      });
    });
  finishClientCommand(command, [
    "zabtree ls",
    "zabtree ls -l /app",
    "zabtree ls -R / | wc -l",
    "zabtree ls -Rl /app --json | jq 'select(.stat.ephemeralOwner != 0).path'",
  ]);
}

interface Entry {
  readonly path: string;
  /** How people see it. */
  readonly shown: string;
  /** Unset where the caller may not read the znode, and where it was not asked for. */
  readonly stat: Stat | undefined;
}

async function* children(connection: Connection, path: string, flags: LsFlags): AsyncGenerator<Entry[], void> {
  const options = { includeStat: flags.long === true, consistency: consistencyOf(flags) };
  for await (const page of connection.childPages(path, options)) {
    yield page.map(({ name, stat }) => ({ path: childPath(path, name), shown: name, stat }));
  }
}

async function* subtree(connection: Connection, path: string, flags: LsFlags): AsyncGenerator<Entry[], void> {
  for await (const piece of connection.subtreePieces(path, { consistency: consistencyOf(flags) })) {
    yield piece.map((znode) => ({ path: znode.path, shown: znode.path, stat: znode.stat }));
  }
}

async function print(entries: readonly Entry[], flags: LsFlags, output: Output): Promise<void> {
  const long = flags.long === true;
  if (output.json) {
    await output.lines(entries.map(({ path, stat }) => toJson(long ? { path, stat: statJson(stat) } : { path })));
  } else {
    await output.lines(entries.map((entry) => (long ? longLine(entry) : entry.shown)));
  }
}

const heading = "version  children     bytes  modified                  name";

/** Columns of fixed width: a listing of a million znodes must not be held back to measure it. */
function longLine({ shown, stat }: Entry): string {
  if (stat === undefined) return `${"may not be read".padEnd(heading.length - "name".length)}${shown}`;
  const columns = [
    String(stat.version).padStart(7),
    String(stat.numChildren).padStart(8),
    String(stat.dataLength).padStart(8),
    time(stat.mtimeMs),
  ];
  const owner = stat.ephemeralOwner === 0n ? "" : `  (ephemeral, session ${stat.ephemeralOwner})`;
  return `${columns.join("  ")}  ${shown}${owner}`;
}
