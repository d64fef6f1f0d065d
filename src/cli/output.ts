/** What commands print. Results go to stdout, everything else to stderr, and a slow reader slows the command down. */
import { once } from "node:events";
import { styleText } from "node:util";
import { toJson } from "./json.ts";

export class Output {
  /** Whether `--json` was given. */
  readonly json: boolean;

  constructor(json: boolean) {
    this.json = json;
  }

  /** Bytes as they are. */
  async bytes(data: Uint8Array | string): Promise<void> {
    if (data.length > 0 && !process.stdout.write(data)) await once(process.stdout, "drain");
  }

  async line(text: string): Promise<void> {
    await this.bytes(`${text}\n`);
  }

  async lines(texts: readonly string[]): Promise<void> {
    if (texts.length > 0) await this.bytes(`${texts.join("\n")}\n`);
  }

  /** The result for people, or for programs with `--json`. */
  async result(json: unknown, text: () => string): Promise<void> {
    await this.line(this.json ? toJson(json) : text());
  }

  /** A remark beside the result. Programs do not get any. */
  note(text: string): void {
    if (!this.json) process.stderr.write(`${text}\n`);
  }
}

/** Bold, where stdout is a terminal that shows it. */
export function bold(text: string): string {
  return styleText("bold", text, { stream: process.stdout });
}

/** Faint, where stdout is a terminal that shows it. */
export function dim(text: string): string {
  return styleText("dim", text, { stream: process.stdout });
}
