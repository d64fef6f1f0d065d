/** Mutual TLS between servers: who a server is stands in its certificate. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { Client, credentials } from "@grpc/grpc-js";
import { Running } from "../../cli/harness.ts";
import { pause, runProgram, scratchDirectory } from "../harness.ts";
import { check, Ensemble, Writer } from "./harness.ts";

let directory: string;
const file = (name: string): string => join(directory, name);

async function authority(name: string): Promise<void> {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", file(`${name}.key`)];
  const rest = ["-out", file(`${name}.pem`), "-days", "2", "-subj", `/CN=${name}`];
  await runProgram("openssl", ["req", "-x509", ...key, ...rest]);
}

async function certificate(name: string, signer: string, alternativeName: string): Promise<void> {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", file(`${name}.key`)];
  await runProgram("openssl", ["req", "-new", ...key, "-out", file(`${name}.csr`), "-subj", `/CN=${name}`]);
  await writeFile(file(`${name}.ext`), `subjectAltName=${alternativeName}\n`);
  const signing = ["-CA", file(`${signer}.pem`), "-CAkey", file(`${signer}.key`), "-CAcreateserial"];
  const input = ["-in", file(`${name}.csr`), "-extfile", file(`${name}.ext`)];
  await runProgram("openssl", ["x509", "-req", ...input, ...signing, "-out", file(`${name}.pem`), "-days", "2"]);
}

beforeAll(async () => {
  directory = await scratchDirectory();
  await authority("ca");
  await authority("stranger-ca");
  await certificate("member-1", "ca", "DNS:zabtree-member-1");
  await certificate("member-2", "ca", "DNS:localhost,DNS:zabtree-member-2");
  await certificate("member-3", "ca", "URI:spiffe://example.org/zabtree-member-3");
  await certificate("stranger-3", "stranger-ca", "DNS:zabtree-member-3");
  await certificate("nobody", "ca", "DNS:localhost");
});

const tls = (name: string, ca = "ca"): string[] => [
  ...["--peer-tls-cert", file(`${name}.pem`), "--peer-tls-key", file(`${name}.key`)],
  ...["--peer-tls-ca", file(`${ca}.pem`)],
];

it("members with certificates form an ensemble; a wrong certificate keeps a server out of it", async () => {
  const ensemble = await Ensemble.start(3, { flags: (id) => tls(`member-${id}`) });
  const writer = await Writer.start(ensemble, "/tls");
  await writer.progress(20);
  const three = ensemble.server(3);
  const wrong: readonly (readonly [string, readonly string[]])[] = [
    ["another member's", tls("member-2")],
    ["one of nobody", tls("nobody")],
    ["one of another authority", tls("stranger-3")],
    ["one of another authority, which it trusts", tls("stranger-3", "stranger-ca")],
    ["none", []],
  ];
  for (const [what, flags] of wrong) {
    await three.kill();
    three.flags = flags;
    three.start();
    await pause(2000);
    expect(await three.serves(), what).toBe(false);
    expect(three.isAlive, what).toBe(true);
    await writer.progress(5);
  }
  await three.kill();
  three.flags = tls("member-3");
  three.start();
  await check(ensemble, [writer]);
}, 90_000);

it("without a certificate nobody gets as far as saying hello", async () => {
  const ensemble = await Ensemble.start(3, { flags: (id) => tls(`member-${id}`) });
  const peer = /1=([^,]+)/.exec(ensemble.server(1).members)![1]!;
  for (const channel of [credentials.createInsecure(), credentials.createSsl()]) {
    const client = new Client(peer, channel);
    await expect(
      new Promise((resolve, reject) => {
        client.waitForReady(Date.now() + 1500, (error) => {
          if (error === undefined) resolve(undefined);
          else reject(error);
        });
      }),
    ).rejects.toThrow();
    client.close();
  }
  expect(ensemble.server(1).isAlive).toBe(true);
}, 60_000);

it("an address other than loopback needs TLS between servers, or --insecure", async () => {
  const data = file("data");
  const serve = (members: string, ...flags: string[]) =>
    new Running(["serve", "--id", "1", "--members", members, "--data", data, "--http", "off", ...flags]);
  const refused = await serve("1=0.0.0.0:4282,2=127.0.0.1:4292", "--listen", "127.0.0.1:0").result;
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toContain("--peer-tls-cert");
  const listening = await serve("1=127.0.0.1:4282", "--peer-listen", "0.0.0.0:0", "--listen", "127.0.0.1:0").result;
  expect(listening).toMatchObject({ code: 1, stdout: "" });
  expect(listening.stderr).toContain("--peer-listen");
}, 30_000);
