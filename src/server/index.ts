/** Starts and stops a server: one process, one data directory, one gRPC and one HTTP port. */
import { pino } from "pino";
import { ConfigError, checkOptions, type ServerOptions } from "./config.ts";
import { ServerCore } from "./core.ts";
import { GrpcServer } from "./grpc.ts";
import { HttpServer } from "./http.ts";

export { ConfigError, type ServerOptions, type TlsFiles } from "./config.ts";
export { StorageError } from "../storage/index.ts";

export interface RunningServer {
  /** Address of the gRPC API, with the port that was bound. */
  readonly listen: string;
  /** Address of the HTTP API; undefined without one. */
  readonly http: string | undefined;
  readonly dataDir: string;
  /** Ends streams, lets calls finish, folds the checkpoint to the commit point and lets go of the files. */
  stop(): Promise<void>;
}

/**
 * Opens the data directory, brings the server into office and listens. Throws a ConfigError or a StorageError whose
 * message is for the operator.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  checkOptions(options);
  const logger = pino({ name: "zabtree", level: options.logLevel ?? "warn" }, pino.destination({ fd: 2, sync: true }));
  const core = await ServerCore.open({
    dataDir: options.dataDir,
    acceptLoss: options.acceptLoss ?? false,
    creatorOwned: options.defaultAcl === "creator",
    logger,
    fatal: (error) => {
      logger.fatal({ err: error }, "the server cannot go on");
      (options.onFatal ?? exit)(error);
    },
  });
  let grpc: GrpcServer | undefined;
  let http: HttpServer | undefined;
  let listen: string;
  let httpListen: string | undefined;
  try {
    grpc = new GrpcServer(core);
    if (options.http !== undefined) http = new HttpServer(core, options.tls);
    listen = await grpc.listen(options.listen, options.tls);
    httpListen = await http?.listen(options.http!);
  } catch (error) {
    await core.close();
    await grpc?.stop();
    throw new ConfigError(`cannot listen: ${error instanceof Error ? error.message : String(error)}`);
  }
  const servers = http === undefined ? [grpc] : [grpc, http];
  logger.info({ listen, http: httpListen, dataDir: options.dataDir, epoch: core.epoch }, "serving");
  let stopped: Promise<void> | undefined;
  return {
    listen,
    http: httpListen,
    dataDir: options.dataDir,
    stop: () => (stopped ??= stopAll(core, servers)),
  };
}

async function stopAll(core: ServerCore, servers: readonly (GrpcServer | HttpServer)[]): Promise<void> {
  await core.stopStreams();
  await Promise.all(servers.map((server) => server.stop()));
  await core.close();
}

/** 70 is EX_SOFTWARE of sysexits.h. */
function exit(): void {
  process.exit(70);
}
