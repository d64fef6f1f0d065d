/** Starts and stops a server: one process, one data directory, one gRPC and one HTTP port. */
import { pino } from "pino";
import { ConfigError, checkOptions, type ServerOptions } from "./config.ts";
import { clientAddressOf, ServerCore } from "./core.ts";
import { GrpcServer } from "./grpc.ts";
import { HeapKeeper } from "./heap.ts";
import { HttpServer } from "./http.ts";

export {
  ConfigError,
  parseMembers,
  type EnsembleOptions,
  type MemberOptions,
  type PeerTlsFiles,
  type ServerOptions,
  type TlsFiles,
} from "./config.ts";
export { StorageError } from "../storage/index.ts";

export interface RunningServer {
  /** Address of the gRPC API, with the port that was bound. */
  readonly listen: string;
  /** Address of the HTTP API; undefined without one. */
  readonly http: string | undefined;
  /** Address on which other members are listened to; undefined for a server that stands alone. */
  readonly peerListen: string | undefined;
  readonly dataDir: string;
  /** Resolves when the server serves for the first time: at once when it stands alone. */
  readonly serving: Promise<void>;
  /** Ends streams, lets calls finish, folds the checkpoint to the commit point and lets go of the files. */
  stop(): Promise<void>;
}

/**
 * Opens the data directory, brings the server into office and listens. A member of an ensemble listens before there is a
 * leader, for without it there might never be one. Throws a ConfigError or a StorageError whose message is for the
 * operator.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  checkOptions(options);
  const heap = new HeapKeeper();
  try {
    return await start(options, heap);
  } catch (error) {
    heap.stop();
    throw error;
  }
}

async function start(options: ServerOptions, heap: HeapKeeper): Promise<RunningServer> {
  const { ensemble, dataDir } = options;
  const logger = pino({ name: "zabtree", level: options.logLevel ?? "warn" }, pino.destination({ fd: 2, sync: true }));
  const core = await ServerCore.open({
    dataDir,
    acceptLoss: options.acceptLoss ?? false,
    creatorOwned: options.defaultAcl === "creator",
    logger,
    ensemble,
    logKeep: options.logKeep,
    fatal: (error) => {
      logger.fatal({ err: error }, "the server cannot go on");
      (options.onFatal ?? exit)(error);
    },
  });
  if (ensemble === undefined) {
    core.start();
    await core.untilServing();
  }
  let ports: Ports;
  try {
    ports = await listenAll(core, options);
  } catch (error) {
    await core.close();
    throw new ConfigError(`cannot listen: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (ensemble !== undefined) core.start();
  const { listen, http, peerListen, servers } = ports;
  logger.info({ listen, http, peerListen, dataDir, epoch: core.epoch }, "listening");
  let stopped: Promise<void> | undefined;
  return {
    listen,
    http,
    peerListen,
    dataDir,
    serving: core.untilServing(),
    stop: () => {
      heap.stop();
      return (stopped ??= stopAll(core, servers));
    },
  };
}

interface Ports {
  readonly listen: string;
  readonly http: string | undefined;
  readonly peerListen: string | undefined;
  readonly servers: readonly (GrpcServer | HttpServer)[];
}

/** Opens all ports, or none. */
async function listenAll(core: ServerCore, options: ServerOptions): Promise<Ports> {
  const grpc = new GrpcServer(core);
  const web = options.http === undefined ? undefined : new HttpServer(core, options.tls);
  try {
    const listen = await grpc.listen(options.listen, options.tls);
    const http = await web?.listen(options.http!);
    core.clientAddress = clientAddressOf(listen, options.ensemble);
    const peerListen = await core.listen();
    return { listen, http, peerListen, servers: web === undefined ? [grpc] : [grpc, web] };
  } catch (error) {
    await Promise.all([grpc.stop(), web?.stop()]);
    throw error;
  }
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
