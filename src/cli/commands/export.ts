import type { Command } from "commander";
import { isAtOrBelow } from "../znode-path.ts";
import { FileWriter } from "../export-files.ts";
import { count, size } from "../format.ts";
import { dataFileName } from "../import-plan.ts";
import { startProgress } from "../progress.ts";
import { finishClientCommand, optionsOf, withConnection } from "../settings.ts";

/** Znodes of the ensemble itself: they are not the user's data, and no import could write them. */
const reserved = "/zookeeper";

export function registerExport(program: Command): void {
  const command = program
    .command("export")
    .summary("copy a subtree into a directory")
    .description(
      "Writes the znodes at and below PATH as files, the reverse of import. A znode with data becomes a file, one " +
        `without a directory; one with data and children a directory with the data in a file named ${dataFileName}. ` +
        "DIR is made where it is missing; one that is not empty is refused unless --force is given. /zookeeper is left " +
        "out unless PATH lies in it. Changes made meanwhile may show or not.",
    )
    .argument("<path>", "znode to read")
    .argument("<dir>", "directory to write")
    .option("--force", "write into a directory that is not empty, over files that are there")
    .action(async (path: string, directory: string, _options: unknown, command: Command) => {
      const started = performance.now();
      const { force } = optionsOf<{ force?: boolean }>(command);
      await withConnection(command, async (connection, output) => {
        const { count: below } = await connection.tree.countDescendants({ path });
        const writer = new FileWriter(directory, path, force === true);
        await writer.prepare();
        const progress = startProgress("exporting", Number(below) + 1, !output.json);
        let done = 0;
        try {
          for await (const piece of connection.subtreePieces(path, { includeData: true })) {
            const wanted = isAtOrBelow(path, reserved)
              ? piece
              : piece.filter((znode) => !isAtOrBelow(znode.path, reserved));
            await writer.write(wanted);
            done += piece.length;
            progress.update(done);
          }
        } finally {
          progress.stop();
        }
        const { files, directories, bytes } = writer;
        const seconds = (performance.now() - started) / 1000;
        await output.result(
          { path, directory, files, directories, bytes, seconds },
          () =>
            `exported ${count(files, "file")}, ${count(directories, "directory")}, ${size(bytes)} ` +
            `in ${seconds.toFixed(1)} s`,
        );
      });
    });
  finishClientCommand(command, ["zabtree export /app/config ./config", "zabtree export / ./backup"]);
}
