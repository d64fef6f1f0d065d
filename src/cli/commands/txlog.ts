import type { Command } from "commander";
import { CommandError } from "../failure.ts";
import { finishClientCommand, optionsOf, outputOf, wholeNumber, withConnection } from "../settings.ts";
import { fileLog } from "../txlog-files.ts";
import { serverLog } from "../txlog-server.ts";
import type { LogQuery, LogSource } from "../txlog-source.ts";
import { toJson } from "../json.ts";
import type { Output } from "../output.ts";

interface TxlogFlags {
  readonly data?: string;
  readonly from?: number;
  readonly to?: number;
  readonly path?: string;
  readonly limit?: number;
  readonly tail?: number;
  readonly follow?: boolean;
}

export function registerTxlog(program: Command): void {
  const command = program
    .command("txlog")
    .summary("query and follow the transaction log")
    .description(
      "Prints committed transactions, a line for each change. With --data it reads the files of a server, which may be " +
        "running: every row of the log, refused writes and sessions included. Without, it asks the server for the " +
        "changes of the tree.",
    )
    .option("--data <dir>", "read log.db in this data directory")
    .option("--from <zxid>", "first transaction; the oldest the log holds when left out", wholeNumber(1))
    .option("--to <zxid>", "last transaction", wholeNumber(1))
    .option("--tail <n>", "begin so many transactions before the end", wholeNumber(0))
    .option("--path <path>", "only changes at and below this path")
    .option("--limit <n>", "print at most so many lines", wholeNumber(1))
    .option("--follow", "go on with what is committed later, until Ctrl-C")
    .action(async (_options: unknown, command: Command) => {
      const flags = optionsOf<TxlogFlags>(command);
      const stop = new AbortController();
      const onSignal = () => {
        stop.abort();
      };
      process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
      const { data } = flags;
      if (data !== undefined) {
        await print(fileLog(data), { flags, signal: stop.signal }, outputOf(command));
        return;
      }
      await withConnection(command, async (connection, output) => {
        await print(await serverLog(connection), { flags, signal: stop.signal }, output);
      });
    });
  finishClientCommand(command, [
    "zabtree txlog --tail 20",
    "zabtree txlog --follow --path /app",
    "zabtree txlog --data ./data --from 100 --to 200",
    "zabtree txlog --data ./data --json | jq 'select(.code != 0)'",
  ]);
}

async function print(
  source: LogSource,
  { flags, signal }: { readonly flags: TxlogFlags; readonly signal: AbortSignal },
  output: Output,
): Promise<void> {
  const query = queryOf(flags, source);
  let left = flags.limit ?? Infinity;
  for await (const rows of source.rows(query, signal)) {
    const shown = rows.slice(0, left);
    await output.lines(shown.map((row) => (output.json ? toJson(row.json) : row.line)));
    left -= shown.length;
    if (left <= 0) return;
  }
}

/** Turns the options into the transactions wanted, and refuses what the log has no longer. */
function queryOf({ from, to, tail, path, follow }: TxlogFlags, source: LogSource): LogQuery {
  if (from !== undefined && from < source.oldestZxid) {
    throw new CommandError(`the log begins with transaction ${source.oldestZxid}`);
  }
  const start = tail === undefined ? source.oldestZxid : Math.max(source.oldestZxid, source.committedZxid - tail + 1);
  const end = follow === true ? Infinity : source.committedZxid;
  return { from: from ?? start, to: Math.min(to ?? Infinity, end), path: path ?? "/" };
}
