/**
 * The TypeScript client.
 *
 *     import { connect } from "zabtree";
 *
 *     const connection = await connect({ server: "127.0.0.1:4281" });
 *     await connection.tree.create({ path: "/hello", data: new TextEncoder().encode("world") });
 *
 *     const session = await connection.openSession({ timeoutMs: 10_000 });
 *     await session.request("create", { path: "/alive", mode: CreateMode.EPHEMERAL });
 *     await session.close();
 *     connection.close();
 */
export { connect, type ConnectOptions, type Connection, type SessionOptions, type UserPassword } from "./connection.ts";
export { ZabtreeError } from "./error.ts";
export type { OneShotWatch, OperationName, RequestOf, ResultOf, Session, SessionState } from "./session.ts";
export type { CallOptions, SessionIdentity } from "./stub.ts";
export type { TlsOptions } from "./channel.ts";
export type { Reason } from "../base/reasons.ts";
export {
  Consistency,
  CreateMode,
  Permission,
  ZnodeKind,
  type AclEntry,
  type Cursor,
  type Identity,
  type Stat,
  type Znode,
} from "../../gen/ts/zabtree/v1/common_pb.js";
export type { Child, MultiOperation, MultiResult } from "../../gen/ts/zabtree/v1/tree_pb.js";
export { ChangeCause, WatchEventKind, WatchScope } from "../../gen/ts/zabtree/v1/watch_pb.js";
export type { WatchEvent, WatchSpec, WatchUpdate } from "../../gen/ts/zabtree/v1/watch_pb.js";
export { ServerRole } from "../../gen/ts/zabtree/admin/v1/cluster_pb.js";
export type { GetStatusResponse, Member } from "../../gen/ts/zabtree/admin/v1/cluster_pb.js";
