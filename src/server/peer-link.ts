/**
 * One link between a learner and its leader, over one Follow call. Messages of a turn go out together. What waits for a
 * connection that does not take it is bounded, then the link ends: memory does not grow for a server that stands still.
 */
import { assert } from "../base/assert.ts";
import type { LinkEncoder, EncodedLinkMessage } from "../rpc/peer-link-writer.ts";
import { fragmentBytes } from "../rpc/peer-values.ts";
import type { LinkMessage } from "../zab/message.ts";
import type { Flushable } from "./core.ts";

/** Bytes handed to the connection and not yet taken. The rest waits here, where it still can be put together. */
const inFlightMax = 512 * 1024;

/** What a link needs of its call. */
export interface LinkCall {
  write(message: Buffer, taken: () => void): void;
  /** Ends the call for both sides; `overflow` when the other side did not read. */
  end(overflow: boolean): void;
}

export interface LinkHost {
  readonly encoder: LinkEncoder;
  /** Bytes that may wait for one link. */
  readonly backlogMax: number;
  /** This link has something to send at the end of the turn. */
  markDirty(link: PeerLink): void;
  /** Too much waits: the link has ended. Never called while something is sent. */
  overflowed(link: PeerLink): void;
}

export class PeerLink implements Flushable {
  readonly number: number;
  readonly member: number;
  isOver = false;
  private readonly host: LinkHost;
  private readonly call: LinkCall;
  private isOpen: boolean;
  private queue: { readonly message: LinkMessage; readonly encoded: EncodedLinkMessage }[] = [];
  private queuedBytes = 0;
  private inFlight = 0;

  /** `isOpen`: whether the other side has accepted; what is sent before waits. */
  constructor(host: LinkHost, call: LinkCall, link: { number: number; member: number; isOpen: boolean }) {
    this.host = host;
    this.call = call;
    this.number = link.number;
    this.member = link.member;
    this.isOpen = link.isOpen;
  }

  get backlog(): number {
    return this.queuedBytes + this.inFlight;
  }

  opened(): void {
    this.isOpen = true;
    this.flush();
  }

  send(message: LinkMessage): void {
    if (this.isOver) return;
    const encoded = this.host.encoder.encode(message);
    if (message.type === "ack") this.dropOlderAck(message.epoch);
    this.queue.push({ message, encoded });
    this.queuedBytes += encoded.bytes;
    this.host.markDirty(this);
  }

  /** Acknowledgements are cumulative: a later one that stands right behind an earlier one says it all. */
  private dropOlderAck(epoch: number): void {
    const last = this.queue.at(-1);
    if (last?.message.type !== "ack" || last.message.epoch !== epoch) return;
    this.queue.pop();
    this.queuedBytes -= last.encoded.bytes;
  }

  /** End of a turn. */
  flush(): void {
    if (this.isOver) return;
    if (this.isOpen) this.writeQueue();
    if (this.backlog <= this.host.backlogMax) return;
    this.end(true);
    this.host.overflowed(this);
  }

  private writeQueue(): void {
    let at = 0;
    while (at < this.queue.length && this.inFlight < inFlightMax) {
      const parts: Buffer[] = [];
      let bytes = 0;
      for (; at < this.queue.length; at++) {
        const { encoded } = this.queue[at]!;
        if (encoded.fragmented || bytes + encoded.bytes > fragmentBytes + 1024) break;
        parts.push(...encoded.parts);
        bytes += encoded.bytes;
      }
      if (parts.length > 0) this.write(parts.length === 1 ? parts[0]! : Buffer.concat(parts, bytes));
      else for (const part of this.queue[at++]!.encoded.parts) this.write(part);
    }
    if (at > 0) this.queue = this.queue.slice(at);
  }

  private write(message: Buffer): void {
    this.queuedBytes -= message.length;
    this.inFlight += message.length;
    this.call.write(message, () => {
      this.inFlight -= message.length;
      assert(this.inFlight >= 0, "more was taken than was written");
      if (this.queue.length > 0 && this.inFlight < inFlightMax) this.host.markDirty(this);
    });
  }

  /** Ends the link. What waits is dropped. */
  end(overflow = false): void {
    if (this.isOver) return;
    if (this.isOpen && !overflow) this.writeQueue();
    this.over();
    this.call.end(overflow);
  }

  /** The call has ended. */
  over(): void {
    this.isOver = true;
    this.queue = [];
    this.queuedBytes = 0;
  }
}
