/** The part of cli-progress that is used here; the package brings no types of its own. */
declare module "cli-progress" {
  import type { Writable } from "node:stream";

  export interface Options {
    readonly format?: string;
    readonly stream?: Writable;
    readonly clearOnComplete?: boolean;
    readonly hideCursor?: boolean;
    readonly barsize?: number;
  }

  export class SingleBar {
    constructor(options: Options);
    start(total: number, startValue: number, payload?: Readonly<Record<string, unknown>>): void;
    update(value: number, payload?: Readonly<Record<string, unknown>>): void;
    stop(): void;
  }

  const cliProgress: { readonly SingleBar: typeof SingleBar };
  export default cliProgress;
}
