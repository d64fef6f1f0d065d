/** What callers ask to be read. */
import { limits } from "../base/limits.ts";
import { refusal, type Refusal } from "../base/reasons.ts";
import { pathProblem } from "../tree/path.ts";

export interface ExistsRead {
  readonly kind: "exists";
  readonly path: string;
  /** Leaves a one-shot watch of this id; 0 for none. Likewise below. */
  readonly watchId: number;
}

export interface DataRead {
  readonly kind: "data";
  readonly path: string;
  readonly watchId: number;
}

export interface ChildrenRead {
  readonly kind: "children";
  readonly path: string;
  readonly watchId: number;
  /** Only names after this one; "" for all. */
  readonly after: string;
  readonly limit: number;
  readonly includeStat: boolean;
  readonly includeData: boolean;
}

export interface AclRead {
  readonly kind: "acl";
  readonly path: string;
}

/** A read that MultiRead may contain. */
export type MultiReadOperation = ExistsRead | DataRead | ChildrenRead | AclRead;

export interface CountRead {
  readonly kind: "count";
  readonly path: string;
}

export interface EphemeralsRead {
  readonly kind: "ephemerals";
  readonly prefix: string;
  readonly after: string;
  readonly limit: number;
}

export interface MultiRead {
  readonly kind: "multiRead";
  readonly operations: readonly MultiReadOperation[];
}

export interface SyncRead {
  readonly kind: "sync";
}

export interface IdentitiesRead {
  readonly kind: "identities";
}

export type ReadRequest = MultiReadOperation | CountRead | EphemeralsRead | MultiRead | SyncRead | IdentitiesRead;

/** How fresh an answer must be. */
export interface Freshness {
  readonly linearizable: boolean;
  /** The answer reflects this transaction; 0 for any. */
  readonly minZxid: number;
}

/** Why a read is malformed; undefined when it is not. `onStream`: watches may be left. */
export function readProblem(request: ReadRequest, onStream: boolean): Refusal | undefined {
  switch (request.kind) {
    case "sync":
    case "identities":
    case "ephemerals":
      return undefined;
    case "multiRead": {
      const count = request.operations.length;
      if (count === 0) return refusal("BAD_ARGUMENTS", "a multi read needs an operation", { field: "operations" });
      if (count <= limits.multiOperations) return undefined;
      return refusal("REQUEST_TOO_LARGE", `a multi read has at most ${limits.multiOperations} operations`, {
        field: "operations",
        limit: String(limits.multiOperations),
        actual: String(count),
      });
    }
    default: {
      const problem = pathProblem(request.path);
      if (problem !== undefined) return refusal("BAD_ARGUMENTS", problem, { field: "path" });
      if ("watchId" in request && request.watchId !== 0 && (!onStream || request.watchId < 0)) {
        return refusal("BAD_ARGUMENTS", "a watch id is positive and only allowed on session streams", {
          field: "watch_id",
        });
      }
      return undefined;
    }
  }
}
