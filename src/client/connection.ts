/** A connection to one server: unary calls, streams, and sessions on it. */
import type { Client } from "@grpc/grpc-js";
import { randomBytes } from "node:crypto";
import { ClusterService } from "../../gen/ts/zabtree/admin/v1/cluster_pb.js";
import type { Znode } from "../../gen/ts/zabtree/v1/common_pb.js";
import { SessionService } from "../../gen/ts/zabtree/v1/session_pb.js";
import { TreeService, type Child } from "../../gen/ts/zabtree/v1/tree_pb.js";
import { WatchService, type WatchUpdate } from "../../gen/ts/zabtree/v1/watch_pb.js";
import { openChannel, waitUntilReachable, type TlsOptions } from "./channel.ts";
import { childPages, subtreePieces, type ChildrenOptions, type SubtreeOptions } from "./listing.ts";
import { Session } from "./session.ts";
import { createStub, type CallContext, type Stub } from "./stub.ts";
import { resumingWatch, type ResumingWatchOptions } from "./watch.ts";

/** A user of the digest scheme. */
export interface UserPassword {
  readonly user: string;
  readonly password: string;
}

export interface ConnectOptions {
  /** `host:port`. Of several, separated by commas, the first that answers is used. */
  readonly server: string;
  /** Speak TLS. Left out: plaintext, which a server offers on loopback only. */
  readonly tls?: TlsOptions | undefined;
  /** Who the caller is, for ACLs. */
  readonly auth?: UserPassword | undefined;
  /** Time limit of connecting and of every unary call, in milliseconds; 10,000 when left out. */
  readonly timeoutMs?: number | undefined;
}

export interface SessionOptions {
  /** Time without contact after which the session ends, in milliseconds; 10,000 when left out. */
  readonly timeoutMs?: number | undefined;
}

const defaultTimeoutMs = 10_000;

/** Connects. Throws a ZabtreeError (`unavailable`) when no server answers. */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const servers = options.server.split(",").map((server) => server.trim());
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  let failure: unknown;
  for (const server of servers) {
    const client = openChannel(server, options.tls);
    try {
      await waitUntilReachable(client, server, timeoutMs);
      return new Connection(client, { ...options, server, timeoutMs });
    } catch (error) {
      failure ??= error;
      client.close();
    }
  }
  throw failure;
}

export class Connection {
  /** The address connected to. */
  readonly server: string;
  /** Unary calls and StreamSubtree. For writes that must not happen twice, use a session. */
  readonly tree: Stub<typeof TreeService>;
  readonly sessions: Stub<typeof SessionService>;
  readonly watches: Stub<typeof WatchService>;
  readonly cluster: Stub<typeof ClusterService>;
  private readonly context: CallContext;
  private readonly auth: UserPassword | undefined;

  /** Use `connect`. */
  constructor(client: Client, options: ConnectOptions & { readonly timeoutMs: number }) {
    const { server, timeoutMs, auth } = options;
    this.server = server;
    this.auth = auth;
    this.context = { client, server, timeoutMs, authorization: auth && basicAuthorization(auth) };
    this.tree = createStub(TreeService, this.context);
    this.sessions = createStub(SessionService, this.context);
    this.watches = createStub(WatchService, this.context);
    this.cluster = createStub(ClusterService, this.context);
  }

  /** Opens a session and attaches its stream. */
  async openSession(options: SessionOptions = {}): Promise<Session> {
    const secret = new Uint8Array(randomBytes(32));
    const opened = await this.sessions.openSession({
      clientKey: new Uint8Array(randomBytes(32)),
      secret,
      timeoutMs: options.timeoutMs ?? 0,
      credentials: this.auth === undefined ? [] : [digestCredential(this.auth)],
    });
    const session = new Session(this.context, { id: opened.sessionId, secret }, opened.timeoutMs);
    await session.reattach();
    return session;
  }

  /** The children of a znode in the byte order of their names, page by page. */
  childPages(path: string, options?: ChildrenOptions): AsyncIterable<Child[]> {
    return childPages(this.tree, path, options);
  }

  /** A znode and all its descendants, parents before children, piece by piece. */
  subtreePieces(path: string, options?: SubtreeOptions): AsyncIterable<Znode[]> {
    return subtreePieces(this.tree, path, options);
  }

  /** Streams changes; connects again and resumes by itself when the stream breaks. Needs no session. */
  watch(spec: Parameters<typeof resumingWatch>[1], options?: ResumingWatchOptions): AsyncIterable<WatchUpdate> {
    return resumingWatch(this.watches, spec, options);
  }

  /** Closes the connection. Sessions on it live on until their timeout; close them first. */
  close(): void {
    this.context.client.close();
  }
}

function basicAuthorization({ user, password }: UserPassword): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

function digestCredential({ user, password }: UserPassword): { scheme: string; data: Uint8Array<ArrayBuffer> } {
  return { scheme: "digest", data: new TextEncoder().encode(`${user}:${password}`) };
}
