import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import type { MultiResult } from "../../client/index.ts";
import { CommandError } from "../failure.ts";
import { headerJson, statJson, type JsonObject } from "../json.ts";
import { multiHelp, parseMulti, type MultiOperationInit } from "../multi-file.ts";
import { finishClientCommand, withConnection } from "../settings.ts";

export function registerMulti(program: Command): void {
  const command = program
    .command("multi")
    .summary("run several writes as one transaction")
    .description(
      "Runs several writes as one transaction: all of them or none. Each sees the effect of those before it. They are " +
        "JSON objects, one a line, or one JSON array; at most 1,000, together at most 2 MiB. When one fails, its index " +
        "from 0 is the `operation` in the metadata of the error.",
    )
    .argument("[file]", "file with the operations; stdin when left out or -")
    .action(async (file: string | undefined, _options: unknown, command: Command) => {
      const operations = parseMulti(await read(file));
      await withConnection(command, async (connection, output) => {
        const { results, header } = await connection.tree.multi({ operations });
        const rows = operations.map((operation, index) => describe(operation, results[index]));
        const json = { results: rows.map(({ json }) => json), ...headerJson(header) };
        await output.result(json, () => rows.map(({ line }) => line).join("\n"));
      });
    });
  finishClientCommand(command, [
    "zabtree multi changes.jsonl",
    `echo '[{"check": {"path": "/app", "version": 3}}, {"delete": {"path": "/app/old"}}]' | zabtree multi`,
  ]).addHelpText("after", multiHelp);
}

async function read(file: string | undefined): Promise<string> {
  if (file === undefined || file === "-") return await text(process.stdin);
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new CommandError(`cannot read ${file}: ${(error as Error).message}`);
  }
}

interface Row {
  readonly line: string;
  readonly json: JsonObject;
}

/** What became of one operation, in words and as JSON. */
function describe({ operation }: MultiOperationInit, outcome: MultiResult | undefined): Row {
  const path = operation?.value?.path ?? "";
  const result = outcome?.result;
  switch (result?.case) {
    case "create": {
      const { path: created, stat } = result.value;
      return { line: `created ${created}`, json: { create: { path: created, stat: statJson(stat) } } };
    }
    case "setData": {
      const { stat } = result.value;
      return { line: `set ${path} (version ${stat?.version ?? 0})`, json: { set: { path, stat: statJson(stat) } } };
    }
    case "setAcl": {
      const { stat } = result.value;
      const line = `set the ACL of ${path} (ACL version ${stat?.aversion ?? 0})`;
      return { line, json: { setAcl: { path, stat: statJson(stat) } } };
    }
    case "delete":
      return { line: `deleted ${path}`, json: { delete: { path } } };
    case "check":
    case undefined:
      return { line: `checked ${path}`, json: { check: { path } } };
  }
}
