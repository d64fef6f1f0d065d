/**
 * The few globals outside the language that pure code may use: they are deterministic and the same everywhere.
 * Added to tsconfig.pure.json; everything else of Node and the web does not exist there.
 */

declare class TextEncoder {
  encode(input?: string): Uint8Array<ArrayBuffer>;
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number };
}

declare class TextDecoder {
  constructor(label?: "utf-8" | "utf8" | "latin1", options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(input?: ArrayBufferView | ArrayBufferLike): string;
}
