import { Option, type Command } from "commander";
import { UsageError } from "../failure.ts";
import { exampleHelp } from "../settings.ts";
import { packageVersion } from "../version.ts";

interface ServeFlags {
  readonly data: string;
  readonly listen: string;
  readonly http: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly insecure?: boolean;
  readonly defaultAcl: "open" | "creator";
  readonly logLevel: string;
  readonly acceptLoss?: boolean;
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
    .option("--accept-loss", "start although acknowledged transactions are missing from the damaged log")
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
      ])}\n\nExit codes: 0 stopped by a signal, 1 could not start or had to stop, 2 malformed command line.`,
    )
    .action(async (flags: ServeFlags) => {
      await serve(flags);
    });
}

async function serve(flags: ServeFlags): Promise<void> {
  const { tlsCert, tlsKey, tlsCa } = flags;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new UsageError("--tls-cert and --tls-key belong together");
  }
  if (tlsCa !== undefined && tlsCert === undefined) throw new UsageError("--tls-ca needs --tls-cert and --tls-key");
  // From the beginning: a signal during the start stops the server as soon as it can be stopped in good order. Ctrl-C
  // under npm may arrive twice, so later ones are ignored.
  const signalled = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.on(signal, () => {
        resolve();
      });
  });
  // Only here, so that no other command loads the server.
  const { startServer } = await import("../../server/index.ts");
  const server = await startServer({
    dataDir: flags.data,
    listen: flags.listen,
    http: flags.http === "off" ? undefined : flags.http,
    ...(tlsCert !== undefined && tlsKey !== undefined
      ? { tls: { cert: tlsCert, key: tlsKey, ...(tlsCa === undefined ? {} : { ca: tlsCa }) } }
      : {}),
    insecure: flags.insecure === true,
    defaultAcl: flags.defaultAcl,
    logLevel: flags.logLevel,
    acceptLoss: flags.acceptLoss === true,
  });
  const http = server.http === undefined ? "" : ` (HTTP ${server.http})`;
  console.log(`zabtree ${packageVersion()} is ready on ${server.listen}${http}, data in ${server.dataDir}`);
  console.log(`try:  npx zabtree ${tryOptions(server.listen, flags)}create /hello world`);
  await signalled;
  await server.stop();
  console.log("zabtree has stopped");
}

/** What a client on this machine needs besides the command. */
function tryOptions(listen: string, flags: ServeFlags): string {
  const server = listen === "127.0.0.1:4281" ? "" : `--server ${listen} `;
  return flags.tlsCert === undefined ? server : `${server}--tls-ca <ca.pem> `;
}
