import type { Command } from "commander";
import { dataArgument, dataInput } from "../data-input.ts";
import { headerJson, statJson } from "../json.ts";
import { finishClientCommand, optionsOf, versionNumber, withConnection } from "../settings.ts";

interface SetFlags {
  readonly file?: string;
  readonly version?: number;
}

export function registerSet(program: Command): void {
  const command = program
    .command("set")
    .summary("set the data of a znode")
    .description(
      "Sets the data of a znode that exists, and prints its new version. Without DATA the znode has no data afterwards, " +
        'which is not the same as empty data (zabtree set PATH "").',
    )
    .argument("<path>", "path of the znode")
    .argument("[data]", dataArgument)
    .option("-f, --file <file>", "take the data from a file")
    .option("--version <n>", "only if this is its version (else BAD_VERSION)", versionNumber)
    .action(async (path: string, argument: string | undefined, _options: unknown, command: Command) => {
      const flags = optionsOf<SetFlags>(command);
      const data = await dataInput(argument, flags.file);
      await withConnection(command, async (connection, output) => {
        const { stat, header } = await connection.tree.setData({ path, data, expectedVersion: flags.version });
        const json = { path, stat: statJson(stat), ...headerJson(header) };
        await output.result(json, () => `set ${path} (version ${stat?.version ?? 0})`);
      });
    });
  finishClientCommand(command, [
    "zabtree set /app hello",
    "zabtree set /app --version 3 hello      only if nobody has set it since version 3",
    "zabtree set /app/logo --file logo.png",
    "date | zabtree set /app/now -",
  ]);
}
