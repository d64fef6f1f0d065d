import type { Command } from "commander";
import { keepAttached } from "../../client/keep-attached.ts";
import { count, size } from "../format.ts";
import { dataFileName, planImport } from "../import-plan.ts";
import { runImport } from "../import-run.ts";
import { startProgress } from "../progress.ts";
import { finishClientCommand, optionsOf, withConnection } from "../settings.ts";
import { withSession } from "../with-session.ts";
import { createParents } from "./create.ts";

export function registerImport(program: Command): void {
  const command = program
    .command("import")
    .summary("copy a directory into the tree")
    .description(
      "Copies the files below a directory into the tree. A directory becomes a znode without data, a file a znode with " +
        `its bytes; a file named ${dataFileName} becomes the data of its directory's znode. PATH and its parents are ` +
        "created where they are missing; znodes that exist are overwritten, others are left alone. So an import that " +
        "was interrupted is completed by running it again.\n\n" +
        "Links are followed, unless --no-links leaves them out; links to nothing, links to a directory that they lie " +
        "in, and special files are skipped with a warning. A file above 1 MiB, or a name that no znode may have, is an error before anything is written.",
    )
    .argument("<dir>", "directory to read")
    .argument("<path>", "znode to write it to")
    .option("--no-links", "leave out all links")
    .action(async (directory: string, path: string, _options: unknown, command: Command) => {
      const started = performance.now();
      const { timeout, links } = optionsOf<{ links: boolean }>(command);
      const plan = await planImport(directory, path, { followLinks: links });
      await withConnection(command, async (connection, output) => {
        for (const skipped of plan.skipped) output.note(`skipped ${skipped}`);
        await createParents(connection, path);
        await withSession(connection, {}, async (session) => {
          keepAttached(session, {
            giveUpAfterMs: timeout === undefined ? session.timeoutMs : timeout * 1000,
            onSuspended: (error) => {
              output.note(`lost the server, trying again (${error.message})`);
            },
            onConnected: () => {
              output.note("connected again, going on");
            },
          });
          const progress = startProgress("importing", plan.znodes.length, !output.json);
          const onProgress = (znodes: number) => {
            progress.update(znodes);
          };
          try {
            await runImport(connection, session, { znodes: plan.znodes, onProgress });
          } finally {
            progress.stop();
          }
        });
        const { files, directories, bytes, skipped } = plan;
        const seconds = (performance.now() - started) / 1000;
        await output.result(
          { path, files, directories, bytes, skipped, seconds },
          () =>
            `imported ${count(files, "file")}, ${count(directories, "directory")}, ${size(bytes)} ` +
            `in ${seconds.toFixed(1)} s`,
        );
      });
    });
  finishClientCommand(command, ["zabtree import ./config /app/config", "zabtree import /usr/share/zoneinfo /zoneinfo"]);
}
