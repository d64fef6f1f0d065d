/** Updates of a watch between the stream that delivers them and the loop that reads them. */
import { refusal } from "../base/reasons.ts";
import type { WatchUpdate } from "../../gen/ts/zabtree/v1/watch_pb.js";
import { errorOfRefusal, type ZabtreeError } from "./error.ts";

const maxWaiting = 10_000;

export class UpdateQueue implements AsyncIterableIterator<WatchUpdate, undefined> {
  private readonly onReturn: () => void;
  private waiting: WatchUpdate[] = [];
  private wake: (() => void) | undefined;
  private ended = false;
  private error: ZabtreeError | undefined;

  /** `onReturn` is called when the reader leaves before the end. */
  constructor(onReturn: () => void) {
    this.onReturn = onReturn;
  }

  push(update: WatchUpdate): void {
    if (this.ended) return;
    if (this.waiting.length >= maxWaiting) {
      // Dropping single updates would be a silent loss; an end with a reason is not.
      this.end(errorOfRefusal(refusal("SLOW_CONSUMER", `more than ${maxWaiting} updates were waiting to be read`)));
      this.onReturn();
      return;
    }
    this.waiting.push(update);
    this.wake?.();
  }

  /** No update follows. What is waiting is still handed out, then the error is thrown, if there is one. */
  end(error: ZabtreeError | undefined): void {
    if (this.ended) return;
    this.ended = true;
    this.error = error;
    this.wake?.();
  }

  async next(): Promise<IteratorResult<WatchUpdate, undefined>> {
    for (;;) {
      const update = this.waiting.shift();
      if (update !== undefined) return { done: false, value: update };
      if (this.ended) {
        const { error } = this;
        this.error = undefined;
        if (error !== undefined) throw error;
        return { done: true, value: undefined };
      }
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      this.wake = undefined;
    }
  }

  return(): Promise<IteratorResult<WatchUpdate, undefined>> {
    const wasOpen = !this.ended;
    this.waiting = [];
    this.end(undefined);
    if (wasOpen) this.onReturn();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
