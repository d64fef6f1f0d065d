import { InvalidArgumentError, Option, type Command } from "commander";
import { UsageError } from "../failure.ts";
import { runLocalEnsemble } from "../local-ensemble.ts";
import { exampleHelp, wholeNumber } from "../settings.ts";
import { packageVersion } from "../version.ts";

interface ServeFlags {
  readonly data: string;
  readonly listen: string;
  readonly http: string;
  readonly id?: number;
  readonly members?: string;
  readonly peerListen?: string;
  readonly advertise?: string;
  readonly peerTlsCert?: string;
  readonly peerTlsKey?: string;
  readonly peerTlsCa?: string;
  readonly ensemble?: number;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly insecure?: boolean;
  readonly defaultAcl: "open" | "creator";
  readonly logLevel: string;
  readonly acceptLoss?: boolean;
  readonly logKeepHours?: number;
  readonly logKeepTransactions?: number;
}

export function registerServe(program: Command): void {
  program
    .command("serve")
    .summary("run a server")
    .description(
      "Runs one durable server in the foreground. What it acknowledged is on disk; kill -9 loses none of it. " +
        "SIGTERM and Ctrl-C stop it in good order.",
    )
    .option("--data <dir>", "where the log and the checkpoint are kept", "./data")
    .option("--listen <host:port>", "address of the gRPC service", "127.0.0.1:4281")
    .option(
      "--http <host:port>",
      "address of HTTP: health, metrics, and the service for curl and browsers; or off",
      "127.0.0.1:4280",
    )
    .addOption(
      new Option("--default-acl <acl>", "of znodes created without one: open to everyone, or the creator's own")
        .choices(["open", "creator"])
        .default("open"),
    )
    .addOption(
      new Option("--log-level <level>", "how much is logged, on stderr")
        .choices(["silent", "fatal", "error", "warn", "info", "debug", "trace"])
        .default("warn"),
    )
    .option("--log-keep-hours <n>", "keep transactions this long at least (24)", hours)
    .option("--log-keep-transactions <n>", "keep this many transactions at least (1000000)", wholeNumber(1))
    .option("--accept-loss", "start although acknowledged transactions are missing from the damaged log")
    .optionsGroup("Ensemble (the same list of members on every server):")
    .option("--id <n>", "which of the members this server is", wholeNumber(1, 2 ** 31 - 1))
    .option("--members <list>", "all members: 1=HOST:PORT,2=HOST:PORT,3=HOST:PORT; an observer is 4=HOST:PORT:observer")
    .option("--peer-listen <host:port>", "address on which the others are listened to (this member's in the list)")
    .option("--advertise <host:port>", "address that clients are told for this server (the one of --listen)")
    .option("--peer-tls-cert <file>", "certificate of this member (PEM), for DNS name zabtree-member-<id>")
    .option("--peer-tls-key <file>", "its key (PEM)")
    .option("--peer-tls-ca <file>", "the authority that signs members, and nothing else (PEM)")
    .option("--ensemble <nodes>", "run so many servers on this machine: `zabtree ensemble`", wholeNumber(1, 9))
    .optionsGroup("TLS (required for any address but loopback):")
    .option("--tls-cert <file>", "certificate of the server (PEM)")
    .option("--tls-key <file>", "its key (PEM)")
    .option("--tls-ca <file>", "demand client certificates signed by these authorities (PEM)")
    .option("--insecure", "serve plaintext on any address")
    .addHelpText(
      "after",
      `\n${exampleHelp([
        "zabtree serve",
        "zabtree serve --data /var/lib/zabtree --listen 127.0.0.1:5000 --http off",
        "zabtree serve --listen 0.0.0.0:4281 --tls-cert server.pem --tls-key server.key",
        "zabtree serve --id 1 --members 1=10.0.0.1:4282,2=10.0.0.2:4282,3=10.0.0.3:4282 …",
      ])}\n\nExit codes: 0 stopped by a signal, 1 could not start or had to stop, 2 malformed command line.`,
    )
    .action(async (flags: ServeFlags, command: Command) => {
      if (flags.ensemble === undefined) await serve(flags);
      else await serveEnsemble(flags, flags.ensemble, command);
    });
}

function hours(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0)) throw new InvalidArgumentError("It must be a number of hours, 0 or more.");
  return value;
}

/** Files that make sense together only. */
function together(flags: Readonly<Record<string, string | undefined>>): void {
  const given = Object.values(flags).filter((value) => value !== undefined).length;
  const names = Object.keys(flags);
  if (given === 0 || given === names.length) return;
  throw new UsageError(`${names.slice(0, -1).join(", ")} and ${names.at(-1)!} belong together`);
}

/** What `--ensemble` can be combined with. */
const withEnsemble = new Set(["ensemble", "data", "defaultAcl", "logLevel"]);

async function serveEnsemble(flags: ServeFlags, nodes: number, command: Command): Promise<void> {
  for (const option of command.options) {
    const name = option.attributeName();
    if (withEnsemble.has(name) || command.getOptionValueSource(name) !== "cli") continue;
    throw new UsageError(`${option.long ?? name} does not go with --ensemble; start each server by itself`);
  }
  const { data, defaultAcl, logLevel } = flags;
  const isDefault = command.getOptionValueSource("data") !== "cli";
  await runLocalEnsemble({ nodes, data: isDefault ? undefined : data, defaultAcl, logLevel });
}

async function serve(flags: ServeFlags): Promise<void> {
  const { tlsCert, tlsKey, tlsCa, id, members } = flags;
  together({ "--tls-cert": tlsCert, "--tls-key": tlsKey });
  if (tlsCa !== undefined && tlsCert === undefined) throw new UsageError("--tls-ca needs --tls-cert and --tls-key");
  together({ "--id": id?.toString(), "--members": members });
  const { peerTlsCert, peerTlsKey, peerTlsCa, peerListen, advertise } = flags;
  together({ "--peer-tls-cert": peerTlsCert, "--peer-tls-key": peerTlsKey, "--peer-tls-ca": peerTlsCa });
  for (const [name, value] of Object.entries({
    "--peer-listen": peerListen,
    "--advertise": advertise,
    "--peer-tls-cert": peerTlsCert,
  })) {
    if (value !== undefined && members === undefined) throw new UsageError(`${name} needs --id and --members`);
  }
  // From the beginning: a signal during the start stops the server as soon as it can be stopped in good order. Ctrl-C
  // under npm may arrive twice, so later ones are ignored.
  const signalled = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.on(signal, () => {
        resolve();
      });
  });
  // Only here, so that no other command loads the server.
  const { parseMembers, startServer } = await import("../../server/index.ts");
  const peerTls = peerTlsCert === undefined ? undefined : { cert: peerTlsCert, key: peerTlsKey!, ca: peerTlsCa! };
  const list = members === undefined ? undefined : parseMembers(members);
  const server = await startServer({
    dataDir: flags.data,
    listen: flags.listen,
    http: flags.http === "off" ? undefined : flags.http,
    ...(list === undefined ? {} : { ensemble: { id: id!, members: list, peerListen, advertise, peerTls } }),
    ...(tlsCert !== undefined && tlsKey !== undefined
      ? { tls: { cert: tlsCert, key: tlsKey, ...(tlsCa === undefined ? {} : { ca: tlsCa }) } }
      : {}),
    insecure: flags.insecure === true,
    defaultAcl: flags.defaultAcl,
    logLevel: flags.logLevel,
    acceptLoss: flags.acceptLoss === true,
    logKeep: { hours: flags.logKeepHours, transactions: flags.logKeepTransactions },
  });
  const http = server.http === undefined ? "" : ` (HTTP ${server.http})`;
  const name = `zabtree ${packageVersion()}`;
  if (list !== undefined) {
    const others = `other members on ${server.peerListen ?? ""}`;
    console.log(
      `${name}, member ${id!} of ${list.length}, listens to clients on ${server.listen}${http}, to ${others}`,
    );
  }
  // A member of an ensemble serves as soon as there is a leader, and does not stop to wait for one.
  void server.serving.then(() => {
    console.log(`${name} is ready on ${server.listen}${http}, data in ${server.dataDir}`);
    console.log(`try:  npx zabtree ${tryOptions(server.listen, flags)}create /hello world`);
  });
  await signalled;
  await server.stop();
  console.log("zabtree has stopped");
}

/** What a client on this machine needs besides the command. */
function tryOptions(listen: string, flags: ServeFlags): string {
  const server = listen === "127.0.0.1:4281" ? "" : `--server ${listen} `;
  return flags.tlsCert === undefined ? server : `${server}--tls-ca <ca.pem> `;
}
