/** TLS on both ports, client certificates, and the rule that anything but loopback needs TLS. */
import { readFile, writeFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { connect } from "../../src/client/index.ts";
import { cleanUp, Running, runProgram, scratchDirectory, Server, text, untext, until, within } from "./harness.ts";

let directory: string;
const file = (name: string): string => join(directory, name);
const pem = async (name: string): Promise<string> => await readFile(file(name), "utf8");

async function authority(name: string): Promise<void> {
  const subject = ["-subj", `/CN=${name}`];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", file(`${name}.key`)];
  await runProgram("openssl", ["req", "-x509", ...key, "-out", file(`${name}.pem`), "-days", "2", ...subject]);
}

async function certificate(name: string, signer: string, extensions: string): Promise<void> {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", file(`${name}.key`)];
  await runProgram("openssl", ["req", "-new", ...key, "-out", file(`${name}.csr`), "-subj", `/CN=${name}`]);
  await writeFile(file(`${name}.ext`), extensions);
  const signing = ["-CA", file(`${signer}.pem`), "-CAkey", file(`${signer}.key`), "-CAcreateserial"];
  const input = ["-in", file(`${name}.csr`), "-extfile", file(`${name}.ext`)];
  await runProgram("openssl", ["x509", "-req", ...input, ...signing, "-out", file(`${name}.pem`), "-days", "2"]);
}

beforeAll(async () => {
  directory = await scratchDirectory();
  await authority("ca");
  await authority("stranger-ca");
  await certificate("server", "ca", "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n");
  await certificate("client", "ca", "extendedKeyUsage=clientAuth\n");
  await certificate("stranger", "stranger-ca", "extendedKeyUsage=clientAuth\n");
});

const tlsFlags = (): string[] => ["--tls-cert", file("server.pem"), "--tls-key", file("server.key")];

/** GET over HTTPS: the status, or the code of what went wrong. */
async function get(url: string, options: { ca?: string; cert?: string; key?: string }): Promise<number | string> {
  return await within(
    10_000,
    url,
    new Promise((resolve) => {
      const agent = new Agent({ ...options, keepAlive: false });
      const call = request(url, { agent }, (response) => {
        response.resume();
        resolve(response.statusCode!);
      });
      call.on("error", (error: NodeJS.ErrnoException) => {
        resolve(error.code ?? error.message);
      });
      call.end();
    }),
  );
}

describe("a server with a certificate", () => {
  it("serves clients that know its authority, on both ports, and no others", async () => {
    const server = await Server.start({ flags: tlsFlags(), http: true });
    const tls = { ca: await pem("ca.pem") };
    const connection = await server.connect({ tls });
    const session = await connection.openSession();
    await session.request("create", { path: "/secret", data: text("tls") });
    expect(untext((await connection.tree.getData({ path: "/secret" })).data)).toBe("tls");
    await session.close();
    expect(await get(`https://${server.http}/livez`, tls)).toBe(200);
    const made = await server.command(["get", "/secret", "--tls-ca", file("ca.pem")]).result;
    expect(made).toMatchObject({ code: 0, stdout: "tls" });

    const timeoutMs = 3000;
    const stranger = { ca: await pem("stranger-ca.pem") };
    await expect(connect({ server: server.address, tls: stranger, timeoutMs })).rejects.toMatchObject({ code: 14 });
    await expect(connect({ server: server.address, timeoutMs })).rejects.toMatchObject({ code: 14 });
    expect(await get(`https://${server.http}/livez`, stranger)).toMatch(/SELF_SIGNED|UNABLE_TO_VERIFY/);
    await expect(fetch(`http://${server.http}/livez`)).rejects.toThrow();
    expect(server.alive).toBe(true);
    expect(await server.stop()).toMatchObject({ code: 0 });
  });

  it("and an authority for clients demands their certificates", async () => {
    const server = await Server.start({ flags: [...tlsFlags(), "--tls-ca", file("ca.pem")], http: true });
    const ca = await pem("ca.pem");
    const client = { ca, cert: await pem("client.pem"), key: await pem("client.key") };
    const stranger = { ca, cert: await pem("stranger.pem"), key: await pem("stranger.key") };
    const connection = await server.connect({ tls: client });
    await connection.tree.create({ path: "/known" });
    expect(await get(`https://${server.http}/livez`, client)).toBe(200);
    for (const tls of [{ ca }, stranger]) {
      // With TLS 1.3 the client learns of its refusal after the handshake: a call must fail in any case.
      const call = async () => {
        const refused = await connect({ server: server.address, tls, timeoutMs: 3000 });
        cleanUp(() => {
          refused.close();
        });
        await refused.tree.exists({ path: "/" });
      };
      await expect(call()).rejects.toMatchObject({ code: 14 });
      expect(typeof (await get(`https://${server.http}/livez`, tls))).toBe("string");
    }
    await connection.tree.exists({ path: "/known" });
  });

  it.each([
    ["a key that does not belong to it", () => ["--tls-cert", file("server.pem"), "--tls-key", file("client.key")]],
    ["a file that is no certificate", () => ["--tls-cert", file("server.ext"), "--tls-key", file("server.key")]],
    ["a file that is missing", () => ["--tls-cert", file("nowhere.pem"), "--tls-key", file("server.key")]],
  ])("does not start with %s", async (_name, flags) => {
    const data = join(await scratchDirectory(), "data");
    const addresses = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"];
    const running = new Running(["serve", "--data", data, ...addresses, ...flags()]);
    cleanUp(() => {
      running.stop("SIGKILL");
    });
    const refused = await within(15_000, "it ends", running.result);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/^zabtree: .+\n$/);
  });
});

describe("an address other than loopback", () => {
  it.each([
    ["--listen", "0.0.0.0:0"],
    ["--listen", "[::]:0"],
    ["--http", "0.0.0.0:0"],
    ["--listen", "192.0.2.1:0"],
    ["--listen", "localhost.example.org:0"],
  ])("%s %s is refused without TLS, with a message that says what to do", async (flag, address) => {
    const data = join(await scratchDirectory(), "data");
    const others = flag === "--listen" ? ["--http", "off"] : ["--listen", "127.0.0.1:0"];
    const refused = await new Running(["serve", "--data", data, ...others, flag, address]).result;
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain(`${flag} ${address}`);
    expect(refused.stderr).toContain("--tls-cert");
    expect(refused.stderr).toContain("--insecure");
  });

  it("is served with --insecure, and with TLS", async () => {
    for (const flags of [["--insecure"], tlsFlags()]) {
      const data = join(await scratchDirectory(), "data");
      const running = new Running(["serve", "--data", data, "--listen", "0.0.0.0:0", "--http", "off", ...flags]);
      cleanUp(() => {
        running.stop("SIGKILL");
      });
      const ready = await until("it is ready", () => /is ready on 0\.0\.0\.0:(\d+).*\ntry: .+\n/.exec(running.output), {
        timeoutMs: 20_000,
      });
      const address = Object.values(networkInterfaces())
        .flat()
        .find((each) => each?.family === "IPv4")!.address;
      const tls = flags[0] === "--insecure" ? undefined : { ca: await pem("ca.pem") };
      // The certificate is for 127.0.0.1; in plaintext any address of the machine will do.
      const host = tls === undefined ? address : "127.0.0.1";
      const connection = await connect({ server: `${host}:${ready[1]!}`, tls });
      await connection.tree.exists({ path: "/" });
      connection.close();
      running.stop("SIGTERM");
      expect(await within(15_000, "it ends", running.result)).toMatchObject({ code: 0 });
    }
  });
});
