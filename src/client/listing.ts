/** Large answers as async iterables: bounded memory whatever their size. */
import type { Consistency, Znode } from "../../gen/ts/zabtree/v1/common_pb.js";
import type { Child, TreeService } from "../../gen/ts/zabtree/v1/tree_pb.js";
import type { Stub } from "./stub.ts";

export interface ChildrenOptions {
  /** Adds each child's Stat. */
  readonly includeStat?: boolean;
  /** Adds each child's data. */
  readonly includeData?: boolean;
  /** Children per page, at most 1,000. */
  readonly pageSize?: number;
  readonly consistency?: Consistency;
}

/** The children of a znode in the byte order of their names, one page after the other. */
export async function* childPages(
  tree: Stub<typeof TreeService>,
  path: string,
  options: ChildrenOptions = {},
): AsyncGenerator<Child[], void> {
  let pageToken = "";
  let minZxid = 0n;
  do {
    const page = await tree.listChildren({ path, ...options, pageToken, minZxid });
    yield page.children;
    pageToken = page.nextPageToken;
    // Later pages must not come from an older state than earlier ones.
    minZxid = page.header?.zxid ?? 0n;
  } while (pageToken !== "");
}

export interface SubtreeOptions {
  /** Adds each znode's data. */
  readonly includeData?: boolean;
  readonly consistency?: Consistency;
  readonly signal?: AbortSignal;
}

/** A znode and all its descendants, parents before children, in pieces of some size. */
export async function* subtreePieces(
  tree: Stub<typeof TreeService>,
  path: string,
  { signal, ...options }: SubtreeOptions = {},
): AsyncGenerator<Znode[], void> {
  for await (const piece of tree.streamSubtree({ path, ...options }, { signal })) yield piece.znodes;
}
