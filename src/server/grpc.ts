/** The client API over grpc-js: the service functions, session streams, health and reflection. */
import { readFileSync } from "node:fs";
import {
  Server,
  ServerCredentials,
  type Metadata,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { DescService, Message } from "@bufbuild/protobuf";
import { HealthImplementation } from "grpc-health-check";
import { ClusterService } from "../../gen/ts/zabtree/admin/v1/cluster_pb.js";
import { SessionService } from "../../gen/ts/zabtree/v1/session_pb.js";
import { TreeService, type StreamSubtreeRequest } from "../../gen/ts/zabtree/v1/tree_pb.js";
import { WatchService, type WatchRequest } from "../../gen/ts/zabtree/v1/watch_pb.js";
import { limits } from "../base/limits.ts";
import { refusal, type Refusal } from "../base/reasons.ts";
import { serviceDefinition } from "../rpc/service-definition.ts";
import { statusOf } from "../rpc/status.ts";
import type { ServerCore } from "./core.ts";
import {
  clusterFunctions,
  sessionFunctions,
  treeFunctions,
  type UnaryFunction,
  type UnaryFunctions,
} from "./functions.ts";
import type { CallContext } from "./identity.ts";
import { addReflection } from "./reflection.ts";
import { SessionConnection } from "./session-connection.ts";
import { streamSubtree, watch, type RunningStream, type StreamFunction, type StreamOut } from "./streams.ts";
import type { TlsFiles } from "./config.ts";

/** The services whose health is reported; "" stands for the server. */
const services = [SessionService, TreeService, WatchService, ClusterService];

/** How long calls and streams may take to end when the server stops, milliseconds. */
const drainMs = 2000;

export class GrpcServer {
  private readonly server: Server;
  private readonly health: HealthImplementation;
  private readonly running = new Set<RunningStream>();
  private address = "";

  constructor(core: ServerCore) {
    this.server = new Server({
      "grpc.max_receive_message_length": limits.requestMessage,
      "grpc.max_send_message_length": limits.responseMessage + 1024 * 1024,
      "grpc.keepalive_time_ms": 20_000,
      "grpc.keepalive_timeout_ms": 10_000,
      "grpc.max_concurrent_streams": 4096,
    });
    this.add(TreeService, treeFunctions(core), {
      streamSubtree: this.streaming<StreamSubtreeRequest>(streamSubtree(core)),
    });
    this.add(WatchService, {}, { watch: this.streaming<WatchRequest>(watch(core)) });
    this.add(ClusterService, clusterFunctions(core), {});
    this.add(SessionService, sessionFunctions(core), {
      attachSession: (call: ServerDuplexStream<Buffer, Buffer>) => {
        new SessionConnection(core, call);
      },
    });
    this.health = new HealthImplementation({ "": "NOT_SERVING" });
    const tell = (): void => {
      if (!core.replica.isStopping) this.setHealth(core.replica.serving);
    };
    tell();
    core.onState(tell);
    this.health.addToServer(this.server);
    addReflection(this.server);
  }

  private add(service: DescService, unary: UnaryFunctions, streams: UntypedServiceImplementation): void {
    const definition = serviceDefinition(service, {
      raw: new Set(["AttachSession"]),
      rawResponses: new Set(["Watch", "StreamSubtree"]),
    });
    const implementation: UntypedServiceImplementation = { ...streams };
    for (const [name, run] of Object.entries(unary)) implementation[name] = mountUnary(run);
    this.server.addService(definition, implementation);
  }

  private streaming<Request extends Message>(run: StreamFunction<Request>) {
    return (call: ServerWritableStream<Request, Buffer>): void => {
      const out = new GrpcOut(call);
      const running = run(call.request, contextOf(call), out);
      if (out.ended) return;
      out.running = running;
      this.running.add(running);
      const gone = (): void => {
        if (this.running.delete(running)) running.cancelled();
      };
      call.on("cancelled", gone);
      call.on("close", gone);
      call.on("error", gone);
    };
  }

  /** Listens; returns the address with the port that was bound. */
  async listen(address: string, tls: TlsFiles | undefined): Promise<string> {
    const port = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync(address, credentials(tls), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(error);
      });
    });
    this.address = address.replace(/:\d+$/, `:${port}`);
    return this.address;
  }

  private setHealth(serving: boolean): void {
    for (const service of ["", ...services.map(({ typeName }) => typeName)]) {
      this.health.setStatus(service, serving ? "SERVING" : "NOT_SERVING");
    }
  }

  /** Tells streams that the server stops, lets calls under way finish for a moment, then closes every connection. */
  async stop(): Promise<void> {
    this.setHealth(false);
    const problem = refusal("SHUTTING_DOWN", "the server is stopping");
    for (const running of [...this.running]) running.stop(problem);
    this.running.clear();
    if (this.address !== "") this.server.drain(this.address, drainMs);
    await new Promise<void>((resolve) => {
      const force = setTimeout(() => {
        this.server.forceShutdown();
        resolve();
      }, drainMs);
      this.server.tryShutdown(() => {
        clearTimeout(force);
        resolve();
      });
    });
  }
}

function mountUnary(run: UnaryFunction) {
  return (call: ServerUnaryCall<Message, Message>, answer: sendUnaryData<Message>): void => {
    run(call.request, contextOf(call), (problem, response) => {
      if (problem === undefined) answer(null, response ?? null);
      else answer(statusOf(problem), null);
    });
  };
}

function contextOf(call: { getPeer(): string; metadata: Metadata }): CallContext {
  return {
    get address() {
      return call.getPeer();
    },
    metadata: (key) => call.metadata.get(key)[0],
  };
}

class GrpcOut implements StreamOut {
  private readonly call: ServerWritableStream<Message, Buffer>;
  running: RunningStream | undefined;
  backlog = 0;
  ended = false;

  constructor(call: ServerWritableStream<Message, Buffer>) {
    this.call = call;
  }

  write(message: Buffer): void {
    if (this.ended) return;
    this.backlog += message.length;
    this.call.write(message, () => {
      this.backlog -= message.length;
      if (!this.ended) this.running?.drained();
    });
  }

  end(problem?: Refusal): void {
    if (this.ended) return;
    this.ended = true;
    if (problem === undefined) this.call.end();
    else this.call.emit("error", statusOf(problem));
  }
}

function credentials(tls: TlsFiles | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const ca = tls.ca === undefined ? null : readFileSync(tls.ca);
  const pair = { private_key: readFileSync(tls.key), cert_chain: readFileSync(tls.cert) };
  // With a CA, clients must prove who they are; without one they need not have a certificate.
  return ServerCredentials.createSsl(ca, [pair], ca !== null);
}
