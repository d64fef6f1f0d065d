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

export interface ServerOptions {
  /** Directory of the log and the checkpoint; made when it is missing. */
  readonly dataDir: string;
  /** Address of the gRPC API, HOST:PORT; port 0 takes any free one. */
  readonly listen: string;
  /** Address of the HTTP API and the probes; undefined for none. */
  readonly http: string | undefined;
  readonly tls?: TlsFiles | undefined;
  /** Allow addresses other than loopback without TLS. */
  readonly insecure?: boolean;
  /** Who may do what with znodes created without an ACL: everyone, or their creator alone. */
  readonly defaultAcl?: "open" | "creator";
  readonly logLevel?: string;
  /** Start although acknowledged transactions are missing from the log. */
  readonly acceptLoss?: boolean;
  /** What to do when the server cannot go on: a failed disk, a broken invariant. Default: the process exits with 70. */
  readonly onFatal?: (error: Error) => void;
}

/** A server that cannot start as it is configured. The message is for the operator. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Checks options; throws a ConfigError. */
export function checkOptions(options: ServerOptions): void {
  for (const [flag, address] of [
    ["--listen", options.listen],
    ["--http", options.http],
  ] as const) {
    if (address === undefined) continue;
    const { host } = splitAddress(address, flag);
    if (options.tls === undefined && options.insecure !== true && !isLoopback(host)) {
      throw new ConfigError(
        `${flag} ${address}: anything but a loopback address needs TLS (--tls-cert and --tls-key); ` +
          `--insecure allows it without`,
      );
    }
  }
  for (const [flag, file] of Object.entries({
    "--tls-cert": options.tls?.cert,
    "--tls-key": options.tls?.key,
    "--tls-ca": options.tls?.ca,
  })) {
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
