/** Every limit of the service, enforced before a zxid is assigned. Bytes unless the name says otherwise. */
export const limits = {
  /** Data of one znode. */
  data: 1024 * 1024,
  /** Path, in UTF-8. */
  path: 1024,
  /** Largest message the server sends; stock clients accept 4 MiB. */
  responseMessage: 3 * 1024 * 1024,
  /** Largest message the server accepts. */
  requestMessage: 3 * 1024 * 1024,
  /** Operations of one Multi or MultiRead. */
  multiOperations: 1000,
  /** Paths and data of one Multi together. */
  multiBytes: 2 * 1024 * 1024,
  /** Children, paths or znodes on one page. */
  pageEntries: 1000,
  /** Entries of one ACL. */
  aclEntries: 64,
  /** Different ACLs of the whole ensemble. */
  acls: 100_000,
  /** Id of one ACL entry. */
  aclId: 256,
  /** Identities of one session. */
  identities: 8,
  /** Ephemeral znodes of one session. */
  ephemeralsPerSession: 10_000,
  /** Znodes one DeleteSubtree removes. */
  deleteSubtree: 10_000,
  /** One transaction in its canonical encoding. */
  transaction: 16 * 1024 * 1024,
  /** Outcomes of one session that the client has not acknowledged. */
  unacknowledgedOutcomes: 256,
  /** Requests of one session that wait for their turn or their commit. */
  outstandingPerSession: 4096,
  /** Data of the writes among them. */
  outstandingBytesPerSession: 8 * 1024 * 1024,
  /** Watches of one session stream. */
  watchesPerStream: 10_000,
  /** Bytes waiting for a client that does not read. */
  streamBacklog: 4 * 1024 * 1024,
  /** Session timeout, milliseconds. */
  sessionTimeoutMsMin: 1000,
  sessionTimeoutMsDefault: 10_000,
  sessionTimeoutMsMax: 120_000,
  /** Tombstones of ended sessions. */
  tombstones: 10_000,
  /** How long a tombstone is kept, milliseconds. */
  tombstoneMs: 3_600_000,
  /** How long a read waits for `min_zxid`, and a write for lower seqs, milliseconds. */
  waitMs: 5000,
} as const;
