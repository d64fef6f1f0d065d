import type { Command } from "commander";
import { deleteTree } from "../delete-tree.ts";
import { UsageError } from "../failure.ts";
import { count } from "../format.ts";
import { headerJson } from "../json.ts";
import { finishClientCommand, optionsOf, versionNumber, withConnection } from "../settings.ts";

interface DeleteFlags {
  readonly recursive?: boolean;
  readonly version?: number;
}

export function registerDelete(program: Command): void {
  const command = program
    .command("delete")
    .alias("rm")
    .summary("delete a znode, or a whole subtree")
    .description(
      "Deletes a znode. One with children is refused unless --recursive is given: then the whole subtree goes in one " +
        "transaction, or, above 10,000 znodes, in several, from the leaves up.",
    )
    .argument("<path>", "path of the znode")
    .option("-r, --recursive", "delete all its descendants as well")
    .option("--version <n>", "only if this is its version (else BAD_VERSION)", versionNumber)
    .action(async (path: string, _options: unknown, command: Command) => {
      const { recursive, version } = optionsOf<DeleteFlags>(command);
      if (recursive === true && version !== undefined) throw new UsageError("--version does not go with --recursive");
      await withConnection(command, async (connection, output) => {
        if (recursive === true) {
          const deleted = await deleteTree(connection, path);
          await output.result({ path, deleted }, () => `deleted ${path} (${count(deleted, "znode")})`);
        } else {
          const { header } = await connection.tree.delete({ path, expectedVersion: version });
          await output.result({ path, deleted: 1, ...headerJson(header) }, () => `deleted ${path}`);
        }
      });
    });
  finishClientCommand(command, [
    "zabtree delete /app/old",
    "zabtree delete /app/lock --version 0",
    "zabtree delete --recursive /app",
  ]);
}
