/**
 * The HTTP port: probes for orchestrators, and the client API once more through Connect, for curl and browsers (Connect,
 * gRPC-Web, JSON). Session streams need HTTP/2 in both directions and stay with gRPC.
 */
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { fromBinary, type DescMethod, type DescService, type Message } from "@bufbuild/protobuf";
import {
  ConnectError,
  createConnectRouter,
  type ConnectRouter,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.js";
import { ClusterService } from "../../gen/ts/zabtree/admin/v1/cluster_pb.js";
import { SessionService } from "../../gen/ts/zabtree/v1/session_pb.js";
import { TreeService, type StreamSubtreeRequest } from "../../gen/ts/zabtree/v1/tree_pb.js";
import { WatchService, type WatchRequest } from "../../gen/ts/zabtree/v1/watch_pb.js";
import { limits } from "../base/limits.ts";
import { grpcCodeOf, refusal, type Refusal } from "../base/reasons.ts";
import { errorInfo } from "../rpc/status.ts";
import { splitAddress, type TlsFiles } from "./config.ts";
import type { ServerCore } from "./core.ts";
import { clusterFunctions, sessionFunctions, treeFunctions, type UnaryFunctions } from "./functions.ts";
import type { CallContext } from "./identity.ts";
import { streamSubtree, watch, type RunningStream, type StreamFunction, type StreamOut } from "./streams.ts";

export class HttpServer {
  private readonly core: ServerCore;
  private readonly server: Server;
  private readonly running = new Set<RunningStream>();
  private stopping = false;

  constructor(core: ServerCore, tls: TlsFiles | undefined) {
    this.core = core;
    const api = this.api();
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      this.handle(request, response, api);
    };
    this.server = tls === undefined ? createServer(listener) : createTlsServer(tlsOptions(tls), listener);
    // Until a request has arrived as a whole; answers may take as long as they like.
    this.server.requestTimeout = 30_000;
    this.server.headersTimeout = 10_000;
  }

  /** Like connectNodeAdapter, which writes an error to the console whenever a client goes away. */
  private api(): (request: IncomingMessage, response: ServerResponse) => void {
    const router = createConnectRouter({
      acceptCompression: [compressionGzip, compressionBrotli],
      readMaxBytes: limits.requestMessage,
      writeMaxBytes: limits.responseMessage + 1024 * 1024,
    });
    this.route(router);
    const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
    return (request, response) => {
      const handler = handlers.get(request.url?.split("?", 1)[0] ?? "");
      if (handler === undefined) {
        answer(response, 404, "not found\n");
        return;
      }
      handler(universalRequestFromNodeRequest(request, response, undefined, undefined))
        .then((answered) => universalResponseToNodeResponse(answered, response))
        .catch((error: unknown) => {
          this.core.logger.debug({ err: error, method: handler.method.name }, "an HTTP call broke off");
          response.destroy();
        });
    };
  }

  private route(router: ConnectRouter): void {
    const { core } = this;
    mount(router, TreeService, treeFunctions(core), {
      streamSubtree: this.streaming<StreamSubtreeRequest>(TreeService.method.streamSubtree, streamSubtree(core)),
    });
    mount(
      router,
      WatchService,
      {},
      {
        watch: this.streaming<WatchRequest>(WatchService.method.watch, watch(core)),
      },
    );
    mount(router, ClusterService, clusterFunctions(core), {});
    mount(router, SessionService, sessionFunctions(core), {});
  }

  private handle(
    request: IncomingMessage,
    response: ServerResponse,
    api: (request: IncomingMessage, response: ServerResponse) => void,
  ): void {
    if (request.method !== "GET" && request.method !== "HEAD") {
      api(request, response);
      return;
    }
    switch (request.url) {
      case "/livez":
        answer(response, 200, "ok\n");
        return;
      case "/readyz":
        if (!this.stopping && this.core.replica.serving) answer(response, 200, "ok\n");
        else answer(response, 503, "not serving\n");
        return;
      default:
        api(request, response);
    }
  }

  private streaming<Request extends Message>(method: DescMethod, run: StreamFunction<Request>) {
    const { running } = this;
    return async function* (request: Request, context: HandlerContext): AsyncGenerator<Message> {
      const out = new QueueOut();
      const stream = run(request, contextOf(context), out);
      running.add(stream);
      const abort = (): void => {
        out.end();
      };
      context.signal.addEventListener("abort", abort);
      try {
        for (;;) {
          const message = await out.next();
          if (message === undefined) break;
          yield fromBinary(method.output, message);
          // The consumer asks for the next one when the connection has taken this one.
          out.taken(message.length);
          if (!out.ended) stream.drained();
        }
      } finally {
        context.signal.removeEventListener("abort", abort);
        running.delete(stream);
        stream.cancelled();
      }
      if (out.problem !== undefined) throw connectError(out.problem);
    };
  }

  /** Listens; returns the address with the port that was bound. */
  async listen(address: string): Promise<string> {
    const { host, port } = splitAddress(address, "--http");
    await new Promise<void>((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen(port, host, () => {
        this.server.off("error", reject);
        resolve();
      });
    });
    return address.replace(/:\d+$/, `:${(this.server.address() as AddressInfo).port}`);
  }

  async stop(): Promise<void> {
    this.stopping = true;
    const problem = refusal("SHUTTING_DOWN", "the server is stopping");
    for (const stream of [...this.running]) stream.stop(problem);
    const closed = new Promise<void>((resolve) => {
      this.server.close(() => {
        resolve();
      });
    });
    this.server.closeIdleConnections();
    const force = setTimeout(() => {
      this.server.closeAllConnections();
    }, 1000);
    await closed;
    clearTimeout(force);
  }
}

function tlsOptions(tls: TlsFiles) {
  const ca = tls.ca === undefined ? {} : { ca: readFileSync(tls.ca), requestCert: true, rejectUnauthorized: true };
  return { cert: readFileSync(tls.cert), key: readFileSync(tls.key), ...ca };
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" });
  response.end(text);
}

type StreamMethods = Record<string, (request: never, context: HandlerContext) => AsyncGenerator<Message>>;

function mount(router: ConnectRouter, service: DescService, unary: UnaryFunctions, streams: StreamMethods): void {
  const implementation: Record<string, unknown> = { ...streams };
  for (const [name, run] of Object.entries(unary)) {
    implementation[name] = (request: Message, context: HandlerContext) =>
      new Promise<Message>((resolve, reject) => {
        run(request, contextOf(context), (problem, response) => {
          if (problem === undefined) resolve(response!);
          else reject(connectError(problem));
        });
      });
  }
  router.service(service, implementation as Partial<ServiceImpl<DescService>>);
}

/** Addresses of the HTTP port are not told to the core: a proxy may stand in between. */
function contextOf(context: HandlerContext): CallContext {
  return {
    address: undefined,
    metadata: (key) => {
      const value = context.requestHeader.get(key);
      if (value === null) return undefined;
      return key.endsWith("-bin") ? Buffer.from(value, "base64") : value;
    },
  };
}

function connectError(problem: Refusal): ConnectError {
  const error = new ConnectError(problem.message, grpcCodeOf(problem.reason));
  error.details.push({ desc: ErrorInfoSchema, value: errorInfo(problem) });
  return error;
}

/** Holds what a stream writes until the generator takes it. */
class QueueOut implements StreamOut {
  private readonly messages: Buffer[] = [];
  private wake: (() => void) | undefined;
  backlog = 0;
  ended = false;
  problem: Refusal | undefined;

  write(message: Buffer): void {
    if (this.ended) return;
    this.backlog += message.length;
    this.messages.push(message);
    this.wake?.();
  }

  end(problem?: Refusal): void {
    if (this.ended) return;
    this.ended = true;
    this.problem = problem;
    this.wake?.();
  }

  taken(bytes: number): void {
    this.backlog -= bytes;
  }

  /** The next message; undefined when the stream is over and everything was taken. */
  async next(): Promise<Buffer | undefined> {
    while (this.messages.length === 0 && !this.ended) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    this.wake = undefined;
    return this.messages.shift();
  }
}
