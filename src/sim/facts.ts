/** What is seen of a simulation from outside: the facts that checkers judge. */
import type { SessionTable } from "../sessions/session-table.ts";
import type { Tree } from "../tree/tree.ts";
import type { Txn, TxnOp } from "../tree/txn.ts";
import type { Model } from "./checkers/model.ts";
import type { DurableState, LogPosition } from "../zab/durable-log.ts";
import type { LinkMessage, Notification } from "../zab/message.ts";
import type { DurableFacts } from "./disk.ts";
import type { StepKind } from "./log-image.ts";
import type { Row } from "./rows.ts";

export type Fact =
  /** A process begins with what it recovered. */
  | { readonly kind: "booted"; readonly node: number; readonly state: DurableState; readonly committed: readonly Row[] }
  | { readonly kind: "crashed"; readonly node: number }
  /** A fault took away data that the server had acknowledged: its disk was replaced, restored, or had lied. */
  | { readonly kind: "lost"; readonly node: number }
  /** Steps have reached stable storage. */
  | {
      readonly kind: "durable";
      readonly node: number;
      readonly steps: readonly StepKind[];
      readonly facts: DurableFacts;
    }
  /** A message leaves; `durable` is what its sender has on stable storage at that moment. */
  | {
      readonly kind: "sent";
      readonly node: number;
      readonly to: number;
      readonly message: LinkMessage;
      readonly durable: DurableFacts;
    }
  | { readonly kind: "received"; readonly node: number; readonly from: number; readonly message: LinkMessage }
  /** A server tells another how it stands. */
  | { readonly kind: "notifying"; readonly node: number; readonly to: number; readonly notification: Notification }
  /** A leader is established. */
  | {
      readonly kind: "leading";
      readonly node: number;
      readonly epoch: number;
      readonly last: LogPosition;
      readonly durable: DurableFacts;
    }
  | { readonly kind: "following"; readonly node: number; readonly leader: number; readonly epoch: number }
  | { readonly kind: "looking"; readonly node: number }
  | { readonly kind: "proposed"; readonly node: number; readonly epoch: number; readonly rows: readonly Row[] }
  /** The commit point as a server knows it has moved. */
  | {
      readonly kind: "committed";
      readonly node: number;
      readonly role: string;
      readonly epoch: number;
      readonly committed: LogPosition;
      readonly durable: DurableFacts;
    }
  /** A transaction was handed to the state machine. */
  | {
      readonly kind: "delivered";
      readonly node: number;
      readonly role: string;
      readonly row: Row;
      readonly durableZxid: number;
    }
  /** A transaction was delivered for the first time anywhere. */
  | { readonly kind: "txn"; readonly txn: Txn; readonly epoch: number }
  /** A row of such a transaction; `model` is as of just before it. */
  | { readonly kind: "op"; readonly txn: Txn; readonly op: TxnOp; readonly model: Model }
  /** A session has expired. */
  | { readonly kind: "expired"; readonly session: number; readonly zxid: number; readonly epoch: number }
  /** The whole state of one replica, to be looked at. */
  | {
      readonly kind: "state";
      readonly node: number;
      readonly zxid: number;
      readonly tree: Tree;
      readonly sessions: SessionTable;
    }
  /** A client was told that its session lives at least until then, virtual milliseconds. */
  | { readonly kind: "proved"; readonly session: number; readonly untilMs: number }
  /** A client was told that its session is over. */
  | { readonly kind: "ended"; readonly session: number }
  /** A numbered write of a client is answered; `zxid` 0 when only its refusal is known. */
  | {
      readonly kind: "answered";
      readonly session: number;
      readonly seq: number;
      readonly zxid: number;
      readonly succeeded: boolean;
    }
  /** A session's answer reflects the state as of `zxid`. */
  | { readonly kind: "reflected"; readonly session: number; readonly zxid: number }
  /** A watch of a client was told of a change. */
  | {
      readonly kind: "event";
      readonly watch: string;
      readonly path: string;
      readonly zxid: number;
      readonly op: number;
      readonly session: number;
    }
  /** A watch of everything below the root is in force from after `zxid`; it is over. */
  | { readonly kind: "watching"; readonly watch: string; readonly after: number }
  | { readonly kind: "watchOver"; readonly watch: string }
  /** The state of a replica after a transaction, as a digest. */
  | { readonly kind: "digest"; readonly node: number; readonly zxid: number; readonly digest: number }
  /** A client was told that its write is done. */
  | { readonly kind: "acknowledged"; readonly node: number; readonly zxid: number; readonly epoch: number }
  /** A linearizable read was asked for when the newest acknowledged write was `floor`, and reflects `zxid`. */
  | { readonly kind: "read"; readonly node: number; readonly floor: number; readonly zxid: number };

export type FactKind = Fact["kind"];
export type FactOf<K extends FactKind> = Extract<Fact, { kind: K }>;
