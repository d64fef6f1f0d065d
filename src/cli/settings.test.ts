import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { UsageError } from "./failure.ts";
import { connectOptions, optionsOf, seconds, wholeNumber, withServerOptions } from "./settings.ts";

describe("where the server is", () => {
  it("is said by the option, else by the environment, else it is this machine", () => {
    expect(connectOptions({ server: "a:1" }, { ZABTREE_SERVERS: "b:2" }).server).toBe("a:1");
    expect(connectOptions({}, { ZABTREE_SERVERS: "b:2,c:3" }).server).toBe("b:2,c:3");
    expect(connectOptions({}, { ZABTREE_SERVERS: "" }).server).toBe("127.0.0.1:4281");
  });

  it.each(["localhost", "localhost:", "localhost:0", "localhost:65536", "a:1,b"])("refuses %j", (server) => {
    expect(() => connectOptions({ server }, {})).toThrow(UsageError);
  });
});

describe("who asks", () => {
  it("may have colons in the password", () => {
    expect(connectOptions({}, { ZABTREE_AUTH: "u:p:q" }).auth).toEqual({ user: "u", password: "p:q" });
  });

  it.each(["u", ":p"])("refuses %j", (auth) => {
    expect(() => connectOptions({ auth }, {})).toThrow(UsageError);
  });
});

describe("TLS", () => {
  it("is off unless asked for", () => {
    expect(connectOptions({}, {}).tls).toBeUndefined();
    expect(connectOptions({ tls: true }, {}).tls).toBeDefined();
  });

  it("wants the key with the certificate, and files that exist", () => {
    expect(() => connectOptions({ tlsCert: "c.pem" }, {})).toThrow("belong together");
    expect(() => connectOptions({ tlsCa: "/no/such.pem" }, {})).toThrow("cannot read /no/such.pem");
  });
});

it("finds options before and after the command, the nearer one first", () => {
  const seen: unknown[] = [];
  const program = withServerOptions(new Command("program").enablePositionalOptions());
  withServerOptions(program.command("inner")).action((_options: unknown, command: Command) => {
    seen.push(optionsOf(command));
  });
  program.parse(["--server", "a:1", "--json", "inner", "--server", "b:2"], { from: "user" });
  expect(seen).toEqual([{ server: "b:2", json: true }]);
});

describe("numbers", () => {
  it("are whole and within their limits", () => {
    const parse = wholeNumber(0, 10);
    expect(parse("10")).toBe(10);
    for (const text of ["11", "-1", "1.5", "1e1", "", "x"]) expect(() => parse(text)).toThrow("whole number");
  });

  it("of seconds may be fractions", () => {
    expect(seconds("0.5")).toBe(0.5);
    for (const text of ["0", "-1", "", "x", "1e9"]) expect(() => seconds(text)).toThrow("seconds");
  });
});
