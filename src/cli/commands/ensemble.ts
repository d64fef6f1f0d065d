import { Option, type Command } from "commander";
import { defaultBasePort, defaultEnsembleData, runLocalEnsemble } from "../local-ensemble.ts";
import { exampleHelp, wholeNumber } from "../settings.ts";

interface EnsembleFlags {
  readonly nodes: number;
  readonly data: string;
  readonly basePort: number;
  readonly defaultAcl: "open" | "creator";
  readonly logLevel: string;
}

export function registerEnsemble(program: Command): void {
  program
    .command("ensemble")
    .summary("run an ensemble on this machine")
    .description(
      "Runs several servers on this machine, each a process with files and ports of its own, and shows how each of them " +
        "does. To try things out: kill one and watch the others go on. Nothing is restarted; Ctrl-C ends all.",
    )
    .option("--nodes <n>", "how many servers", wholeNumber(1, 9), 3)
    .option("--data <dir>", "directory of the servers' directories 1, 2, …", defaultEnsembleData)
    .option(
      "--base-port <port>",
      "gRPC port of member 1, HTTP one below, peers one above; member n has them 10(n − 1) higher",
      wholeNumber(1025, 65_000),
      defaultBasePort,
    )
    .addOption(
      new Option("--default-acl <acl>", "of znodes created without one: open to everyone, or the creator's own")
        .choices(["open", "creator"])
        .default("open"),
    )
    .addOption(
      new Option("--log-level <level>", "how much the servers log, on stderr")
        .choices(["silent", "fatal", "error", "warn", "info", "debug", "trace"])
        .default("error"),
    )
    .addHelpText(
      "after",
      `\n${exampleHelp([
        "zabtree ensemble",
        "zabtree ensemble --nodes 5 --data /tmp/five --base-port 5281",
      ])}\n\nExit codes: 0 stopped by a signal, 1 could not start or every server has ended, 2 malformed command line.`,
    )
    .action(async (flags: EnsembleFlags) => {
      await runLocalEnsemble(flags);
    });
}
