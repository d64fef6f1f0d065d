/** Who a caller is: from credentials, from the connection, and from the session a call names. */
import { hash } from "node:crypto";
import { refusal, type Refusal } from "../base/reasons.ts";
import { formatIdentities } from "../sessions/session-table.ts";
import { identityProblem, type Identity } from "../tree/acl.ts";
import type { Caller } from "../tree/prepare.ts";
import { callerOf, type LocalSession } from "../replica/local-session.ts";
import type { Replica } from "../replica/replica.ts";

/** What the transport knows of a call. */
export interface CallContext {
  /** Address of the client; undefined when the transport does not tell. */
  readonly address: string | undefined;
  /** The first value of a metadata key; keys that end in -bin give their bytes. */
  metadata(key: string): string | Uint8Array | undefined;
}

/** A caller and, if it named one, its session. */
export interface AuthenticatedCaller {
  readonly caller: Caller;
  readonly live: LocalSession | undefined;
}

/** Longest credential, bytes. */
const credentialBytes = 512;

/** The identity a credential proves: for digest, `user:base64(SHA1(user:password))`. */
export function identityOf(scheme: string, data: Uint8Array): Identity | Refusal {
  if (scheme !== "digest") return authFailed(scheme, "the only scheme of credentials is digest");
  if (data.length > credentialBytes) return authFailed(scheme, `a credential has at most ${credentialBytes} bytes`);
  const text = Buffer.from(data).toString("utf8");
  const colon = text.indexOf(":");
  if (colon <= 0 || colon === text.length - 1 || text.slice(0, colon).includes("\ufffd")) {
    return authFailed(scheme, "a digest credential has the form user:password");
  }
  const id = `${text.slice(0, colon)}:${hash("sha1", data, "base64")}`;
  // What an ACL entry cannot name would be an identity without any use.
  const problem = identityProblem(scheme, id);
  return problem === undefined ? { scheme, id } : authFailed(scheme, problem);
}

function authFailed(scheme: string, message: string): Refusal {
  return refusal("AUTH_FAILED", message, { scheme: scheme.slice(0, 32) });
}

/** The identity of an address as the transport writes it: without port, brackets or the IPv4-in-IPv6 prefix. */
export function addressIdentity(address: string | undefined): Identity | undefined {
  if (address === undefined) return undefined;
  const match = /^(?:ipv[46]:)?\[?([0-9a-fA-F:.]+?)\]?(?::\d+)?$/.exec(address);
  if (match === null) return undefined;
  return { scheme: "ip", id: match[1]!.replace(/^::ffff:(?=\d+\.)/, "") };
}

/** SHA-256 of a session's secret, hexadecimal. */
export function hashSecret(secret: Uint8Array): string {
  return hash("sha256", secret, "hex");
}

/** The caller of a unary call or of a Watch stream. A session may first have to become known here. */
export function authenticate(
  replica: Replica,
  context: CallContext,
  done: (who: AuthenticatedCaller | Refusal) => void,
): void {
  const address = addressIdentity(context.address);
  const id = context.metadata("zabtree-session-id");
  if (id === undefined) {
    done(withoutSession(context, address));
    return;
  }
  const secret = context.metadata("zabtree-session-secret-bin");
  if (typeof id !== "string" || !/^\d{1,15}$/.test(id) || secret === undefined || typeof secret === "string") {
    done(refusal("BAD_ARGUMENTS", "the session metadata is malformed", { field: "zabtree-session-id" }));
    return;
  }
  replica.authenticate(Number(id), hashSecret(secret), (live) => {
    done("reason" in live ? live : { caller: callerOf(live, address), live });
  });
}

function withoutSession(context: CallContext, address: Identity | undefined): AuthenticatedCaller | Refusal {
  const identities: Identity[] = [];
  const authorization = context.metadata("authorization");
  if (authorization !== undefined) {
    const match = typeof authorization === "string" ? /^Basic ([A-Za-z0-9+/=_-]+)$/i.exec(authorization) : null;
    if (match === null) return refusal("AUTH_FAILED", "authorization must be Basic with user:password", {});
    const identity = identityOf("digest", Buffer.from(match[1]!, "base64"));
    if ("reason" in identity) return identity;
    identities.push(identity);
  }
  if (address !== undefined) identities.push(address);
  return { caller: { session: 0, identities, who: formatIdentities(identities) }, live: undefined };
}
