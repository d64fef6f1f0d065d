/** What a server is started with, checked. */
import { accessSync, constants } from "node:fs";
import { BlockList, isIP } from "node:net";

/** Paths of PEM files. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Certificates that sign clients'; when given, clients must have one. */
  readonly ca?: string;
}

/** Paths of PEM files, for mutual TLS between servers. */
export interface PeerTlsFiles {
  readonly cert: string;
  readonly key: string;
  /** The authority that signs the certificates of members, and nothing else. */
  readonly ca: string;
}

/** A member of an ensemble, as it is configured. */
export interface MemberOptions {
  readonly id: number;
  /** Where it listens to other members, HOST:PORT. */
  readonly peerAddress: string;
  readonly voter: boolean;
}

/** What makes a server a member of an ensemble. */
export interface EnsembleOptions {
  /** Which of the members this server is. */
  readonly id: number;
  /** All members, this server included. */
  readonly members: readonly MemberOptions[];
  /** Address on which this server listens to the others; its own in the list when left out. */
  readonly peerListen?: string | undefined;
  readonly peerTls?: PeerTlsFiles | undefined;
  /** Address that clients are told for this server; the one it listens on when left out. */
  readonly advertise?: string | undefined;
}

export interface ServerOptions {
  /** Directory of the log and the checkpoint; made when it is missing. */
  readonly dataDir: string;
  /** Address of the gRPC API, HOST:PORT; port 0 takes any free one. */
  readonly listen: string;
  /** Address of the HTTP API and the probes; undefined for none. */
  readonly http: string | undefined;
  /** Left out: the server stands alone. */
  readonly ensemble?: EnsembleOptions | undefined;
  readonly tls?: TlsFiles | undefined;
  /** Allow addresses other than loopback without TLS. */
  readonly insecure?: boolean;
  /** Who may do what with znodes created without an ACL: everyone, or their creator alone. */
  readonly defaultAcl?: "open" | "creator";
  readonly logLevel?: string;
  /** Start although acknowledged transactions are missing from the log. */
  readonly acceptLoss?: boolean;
  /** How much of the log is kept for watches that resume and servers that come back; a day and a million when left out. */
  readonly logKeep?: { readonly hours?: number | undefined; readonly transactions?: number | undefined } | undefined;
  /** What to do when the server cannot go on: a failed disk, a broken invariant. Default: the process exits with 70. */
  readonly onFatal?: (error: Error) => void;
}

/** A server that cannot start as it is configured. The message is for the operator. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Checks options; throws a ConfigError. */
export function checkOptions(options: ServerOptions): void {
  const { listen, http, ensemble } = options;
  checkTransport(
    "--listen",
    listen,
    "--tls-cert and --tls-key",
    options.tls !== undefined || options.insecure === true,
  );
  if (http !== undefined) {
    checkTransport("--http", http, "--tls-cert and --tls-key", options.tls !== undefined || options.insecure === true);
  }
  if (ensemble !== undefined) checkEnsemble(ensemble, options.insecure === true);
  checkFiles({
    "--tls-cert": options.tls?.cert,
    "--tls-key": options.tls?.key,
    "--tls-ca": options.tls?.ca,
    "--peer-tls-cert": ensemble?.peerTls?.cert,
    "--peer-tls-key": ensemble?.peerTls?.key,
    "--peer-tls-ca": ensemble?.peerTls?.ca,
  });
}

/** Anything that leaves the machine is encrypted, unless it is allowed not to be. */
function checkTransport(flag: string, address: string, wanted: string, allowed: boolean): void {
  const { host } = splitAddress(address, flag);
  if (allowed || isLoopback(host)) return;
  throw new ConfigError(
    `${flag} ${address}: anything but a loopback address needs TLS (${wanted}); --insecure allows it without`,
  );
}

const memberIdMax = 2 ** 31 - 1;
const membersMax = 1000;

function checkEnsemble(ensemble: EnsembleOptions, insecure: boolean): void {
  const { id, members, peerListen, peerTls, advertise } = ensemble;
  const wanted = "--peer-tls-cert, --peer-tls-key and --peer-tls-ca";
  const ids = new Set<number>();
  const addresses = new Set<string>();
  if (members.length > membersMax) throw new ConfigError(`--members: at most ${membersMax}`);
  for (const member of members) {
    if (!Number.isInteger(member.id) || member.id < 1 || member.id > memberIdMax) {
      throw new ConfigError(`--members: an id is a whole number from 1 to ${memberIdMax}, not ${member.id}`);
    }
    const { port } = splitAddress(member.peerAddress, "--members");
    if (port === 0) throw new ConfigError(`--members: member ${member.id} needs a port`);
    if (ids.has(member.id)) throw new ConfigError(`--members: member ${member.id} is named twice`);
    if (addresses.has(member.peerAddress)) throw new ConfigError(`--members: ${member.peerAddress} is named twice`);
    ids.add(member.id);
    addresses.add(member.peerAddress);
    checkTransport("--members", member.peerAddress, wanted, peerTls !== undefined || insecure);
  }
  if (!members.some(({ voter }) => voter)) throw new ConfigError("--members: there is no voter among them");
  if (!ids.has(id)) throw new ConfigError(`--id ${id}: --members names no such member`);
  if (peerListen !== undefined) checkTransport("--peer-listen", peerListen, wanted, peerTls !== undefined || insecure);
  if (advertise !== undefined) splitAddress(advertise, "--advertise");
}

/** Reads a list of members: `1=HOST:PORT,2=HOST:PORT,3=HOST:PORT:observer`. Throws a ConfigError. */
export function parseMembers(text: string): MemberOptions[] {
  return text.split(",").map((one) => {
    const match = /^\s*(\d{1,10})=(.+?)(:observer)?\s*$/.exec(one);
    if (match === null) {
      throw new ConfigError(
        `--members: a member is ID=HOST:PORT, or ID=HOST:PORT:observer, not ${JSON.stringify(one)}`,
      );
    }
    return { id: Number(match[1]), peerAddress: match[2]!, voter: match[3] === undefined };
  });
}

function checkFiles(files: Readonly<Record<string, string | undefined>>): void {
  for (const [flag, file] of Object.entries(files)) {
    if (file === undefined) continue;
    try {
      accessSync(file, constants.R_OK);
    } catch {
      throw new ConfigError(`${flag} ${file}: the file cannot be read`);
    }
  }
}

/** Splits HOST:PORT; IPv6 addresses stand in brackets. Throws a ConfigError. */
export function splitAddress(address: string, flag: string): { host: string; port: number } {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+):(\d{1,5})$/.exec(address);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) {
    throw new ConfigError(`${flag} ${address}: not an address of the form HOST:PORT`);
  }
  return { host: match[1]!.replace(/^\[|\]$/g, ""), port };
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

function isLoopback(host: string): boolean {
  if (host === "localhost") return true;
  const family = isIP(host);
  return family !== 0 && loopback.check(host, family === 4 ? "ipv4" : "ipv6");
}
