/** The bookkeeping of one znode, as reads report it and as the log stores it after each change. */
export interface Stat {
  czxid: number;
  mzxid: number;
  pzxid: number;
  /** Milliseconds since the Unix epoch, by the leader's clock. */
  ctime: number;
  mtime: number;
  version: number;
  aversion: number;
  /** Session that owns an ephemeral znode; 0 otherwise. */
  owner: number;
  /** Number the next sequential child gets: how many children were ever created. */
  sequence: number;
  children: number;
  kind: number;
  /** Bytes; 0 also when there is no data. */
  dataLength: number;
}

/** Kinds of znodes, numbered as in the contract. 3 and 4 are left for containers and TTL znodes. */
export const ZnodeKind = { persistent: 1, ephemeral: 2 } as const;

export function emptyStat(): Stat {
  return {
    czxid: 0,
    mzxid: 0,
    pzxid: 0,
    ctime: 0,
    mtime: 0,
    version: 0,
    aversion: 0,
    owner: 0,
    sequence: 0,
    children: 0,
    kind: 0,
    dataLength: 0,
  };
}

/** The visible child version: children ever created plus children ever deleted. Wraps at 2^31. */
export function cversion(stat: Pick<Stat, "sequence" | "children">): number {
  return (2 * stat.sequence - stat.children) | 0;
}

/** The version after `version`: wraps at 2^31 and skips -1, which old clients send for "any version" (ZOOKEEPER-4743). */
export function nextVersion(version: number): number {
  const next = (version + 1) | 0;
  return next === -1 ? 0 : next;
}
