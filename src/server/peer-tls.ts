/**
 * Mutual TLS between servers. Who a server is stands in its certificate, signed by an authority that signs nothing but
 * members: a DNS name `zabtree-member-2`, or a URI whose last segment is that. Host names and addresses prove nothing.
 */
import { readFileSync } from "node:fs";
import type { PeerCertificate } from "node:tls";
import { ChannelCredentials, ServerCredentials } from "@grpc/grpc-js";
import type { PeerTlsFiles } from "./config.ts";

/** PEM. */
export interface PeerTls {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer;
}

export function readPeerTls(files: PeerTlsFiles): PeerTls {
  return { cert: readFileSync(files.cert), key: readFileSync(files.key), ca: readFileSync(files.ca) };
}

export function peerServerCredentials(tls: PeerTls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  return ServerCredentials.createSsl(tls.ca, [{ private_key: tls.key, cert_chain: tls.cert }], true);
}

/** Credentials for calling one member. */
export function peerChannelCredentials(tls: PeerTls | undefined, member: number): ChannelCredentials {
  if (tls === undefined) return ChannelCredentials.createInsecure();
  return ChannelCredentials.createSsl(tls.ca, tls.key, tls.cert, {
    checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
      membersOf(certificate.subjectaltname).has(member)
        ? undefined
        : new Error(`the certificate is not one of member ${member}`),
  });
}

/** The members that a certificate names, by Node's text of its alternative names. */
export function membersOf(alternativeNames: string | undefined): ReadonlySet<number> {
  const members = new Set<number>();
  for (const [kind, value] of splitNames(alternativeNames ?? "")) {
    const name = kind === "DNS" ? value : kind === "URI" ? value.slice(value.lastIndexOf("/") + 1) : "";
    const id = /^zabtree-member-([1-9]\d{0,9})$/.exec(name)?.[1];
    if (id !== undefined) members.add(Number(id));
  }
  return members;
}

/**
 * Node joins names by commas and puts those that could be mistaken into quotes: what stands within quotes is one name,
 * never a list (CVE-2021-44532).
 */
function* splitNames(text: string): Generator<[kind: string, value: string]> {
  const pattern = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/gy;
  for (let match = pattern.exec(text); match !== null && match[0] !== ""; match = pattern.exec(text)) {
    const [, kind, value] = match;
    // A name that needs quotes is no name of ours.
    if (!value!.startsWith('"')) yield [kind!, value!];
  }
}
