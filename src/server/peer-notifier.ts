/** Tells one other member this server's notifications, over and over connecting again. The newest unsent one counts. */
import type { Client, ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import { Metadata } from "@grpc/grpc-js";
import { ElectResponseSchema } from "../../gen/ts/zabtree/peer/v1/peer_pb.js";
import { refusalOf } from "../rpc/status.ts";
import { addressOf, type Hello } from "../rpc/peer-hello.ts";
import { encodeElectHello, encodeNotification } from "../rpc/peer-notification.ts";
import { decode } from "../rpc/peer-values.ts";
import { asBuffer } from "../rpc/service-definition.ts";
import type { Notification } from "../zab/message.ts";

/** Pauses before another attempt, milliseconds: short at first, for a server that restarts or has not started yet. */
const firstPauseMs = 20;
const longestPauseMs = 500;
/** How long the other side may take to accept, milliseconds. */
const acceptMs = 2000;

const electPath = "/zabtree.peer.v1.PeerService/Elect";

type Call = ClientDuplexStream<Buffer, Buffer>;

export interface NotifierHost {
  openClient(): Client;
  hello(): Hello;
  accepted(clientAddress: string): void;
  /** The other side does not accept this server; it is asked again. */
  refused(reason: string, message: string): void;
}

export class PeerNotifier {
  private readonly host: NotifierHost;
  private client: Client | undefined;
  private call: Call | undefined;
  private isAccepted = false;
  /** The last one given, and whether it is still to be sent. */
  private newest: Notification | undefined;
  private unsent = false;
  private writing = false;
  private pauseMs = firstPauseMs;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(host: NotifierHost) {
    this.host = host;
    this.connect();
  }

  get isConnected(): boolean {
    return this.isAccepted;
  }

  notify(notification: Notification): void {
    this.newest = notification;
    this.unsent = true;
    this.write();
  }

  /** What was told before is no longer so. */
  forget(): void {
    this.newest = undefined;
    this.unsent = false;
  }

  /** The other side is there: there is no reason to wait any longer. */
  hurry(): void {
    if (this.isAccepted || this.closed || this.timer === undefined) return;
    this.pauseMs = firstPauseMs;
    if (this.call === undefined) this.connect();
  }

  /** Takes leave: the other side knows at once that this server is gone. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.timer);
    this.call?.end();
    this.client?.close();
  }

  private connect(): void {
    clearTimeout(this.timer);
    this.client?.close();
    this.client = this.host.openClient();
    const call: Call = this.client.makeBidiStreamRequest(electPath, asBuffer, asBuffer, new Metadata());
    this.call = call;
    this.writing = false;
    call.on("data", (message: Buffer) => {
      if (this.call === call) this.received(message);
    });
    call.on("error", (error: ServiceError) => {
      if (this.call === call) this.ended(error);
    });
    call.on("end", () => {
      if (this.call === call) this.ended(undefined);
    });
    call.write(encodeElectHello(this.host.hello()));
    this.timer = setTimeout(() => {
      if (this.call === call) this.ended(undefined);
    }, acceptMs);
  }

  private received(message: Buffer): void {
    if (this.isAccepted) return;
    let clientAddress: string;
    try {
      clientAddress = addressOf(decode(ElectResponseSchema, message).accepted?.clientAddress ?? "");
    } catch {
      // Whatever that is, it is not the ensemble's protocol.
      this.ended(undefined);
      return;
    }
    clearTimeout(this.timer);
    this.isAccepted = true;
    this.pauseMs = firstPauseMs;
    this.host.accepted(clientAddress);
    // A server that has just started should not wait for the next one.
    this.unsent = this.newest !== undefined;
    this.write();
  }

  private write(): void {
    const { call, newest } = this;
    if (!this.isAccepted || this.writing || !this.unsent || call === undefined || newest === undefined) return;
    this.writing = true;
    this.unsent = false;
    call.write(encodeNotification(newest), () => {
      if (this.call !== call) return;
      this.writing = false;
      this.write();
    });
  }

  private ended(error: ServiceError | undefined): void {
    const { call } = this;
    this.call = undefined;
    this.isAccepted = false;
    clearTimeout(this.timer);
    call?.cancel();
    this.client?.close();
    this.client = undefined;
    if (this.closed) return;
    const refused = error === undefined ? undefined : refusalOf(error);
    if (refused !== undefined) this.host.refused(refused.reason, refused.message);
    this.pauseMs = refused === undefined ? Math.min(this.pauseMs * 1.6, longestPauseMs) : longestPauseMs;
    this.timer = setTimeout(
      () => {
        this.connect();
      },
      this.pauseMs * (0.8 + Math.random() * 0.4),
    );
  }
}
