/**
 * Who may import whom. A folder imports only what stands in its row. Every rule says why it is there.
 */

/** @type {Record<string, { mayImport: readonly string[], why: string }>} */
const folders = {
  base: { mayImport: [], why: "the words everything else is written in; it knows nobody" },
  zab: { mayImport: ["base"], why: "consensus orders opaque transactions and knows no tree" },
  tree: { mayImport: ["base"], why: "znodes know nothing of how transactions are agreed on" },
  sessions: { mayImport: ["base", "zab", "tree"], why: "sessions own znodes; the tree does not know them" },
  watches: { mayImport: ["base", "zab", "tree", "sessions"], why: "watches look at applied transactions only" },
  replica: {
    mayImport: ["base", "zab", "tree", "sessions", "watches"],
    why: "the core joined; storage, gRPC and time come in through ports that it declares",
  },
  storage: {
    mayImport: ["base", "zab", "tree", "sessions", "watches", "replica"],
    why: "the log and the checkpoint carry out what the replica's ports ask for; they know no gRPC",
  },
  rpc: {
    mayImport: ["base", "zab", "tree", "sessions", "watches", "replica"],
    why: "it turns messages of the wire into values of the core and back; it knows neither disk nor process",
  },
  server: {
    mayImport: ["base", "zab", "tree", "sessions", "watches", "replica", "storage", "rpc"],
    why: "the process around the core; clients and commands use it, never the reverse",
  },
  client: { mayImport: ["base", "rpc"], why: "the client talks to a server over the wire alone" },
  cli: {
    mayImport: ["base", "storage", "rpc", "server", "client"],
    why: "commands use the client, start a server, or read the log files; they do not reach into the core",
  },
  sim: {
    mayImport: ["base", "zab", "tree", "sessions", "watches", "replica"],
    why: "the simulator is deterministic: it runs the production core behind fake ports",
  },
};

const pure = ["base", "zab", "tree", "sessions", "watches", "replica", "sim"].join("|");
const tests = "\\.test\\.ts$";

const directions = Object.entries(folders).map(([folder, { mayImport, why }]) => ({
  name: `direction-of-${folder}`,
  comment: `src/${folder} may import ${mayImport.length > 0 ? mayImport.join(", ") : "nothing"}: ${why}.`,
  severity: "error",
  from: { path: `^src/${folder}/`, pathNot: tests },
  to: { path: "^src/", pathNot: `^src/(${[folder, ...mayImport].join("|")})/` },
}));

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    ...directions,
    {
      name: "client-without-server",
      comment: "A program that uses the client must not load the server, not even by way of src/rpc.",
      severity: "error",
      from: { path: "^src/client/", pathNot: tests },
      to: { path: "^src/(zab|tree|sessions|watches|replica|storage|server)/", reachable: true },
    },
    {
      name: "known-folders-only",
      comment: "A new folder under src needs a row in the table above, or it would have no rules.",
      severity: "error",
      from: {},
      to: { path: "^src/", pathNot: `^src/(${Object.keys(folders).join("|")})/` },
    },
    {
      name: "no-cycles",
      comment: "Modules that need each other at run time cannot be read, tested or loaded one by one.",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "pure-without-packages",
      comment: "The core is deterministic and self-contained: neither Node nor a package inside.",
      severity: "error",
      from: { path: `^src/(${pure})/`, pathNot: tests },
      to: { dependencyTypes: ["core", "npm", "npm-dev", "npm-optional", "npm-peer", "npm-no-pkg", "npm-unknown"] },
    },
    {
      name: "sqlite-only-in-storage",
      comment: "One folder knows that the log is SQLite, and how to use it durably.",
      severity: "error",
      from: { pathNot: "^src/storage/" },
      to: { path: "(^|node_modules/)(@types/)?better-sqlite3" },
    },
    {
      name: "grpc-only-at-the-edge",
      comment: "Only rpc, server and client know the RPC libraries; everything else speaks in plain values.",
      severity: "error",
      from: { path: "^src/", pathNot: `^src/(rpc|server|client)/|${tests}` },
      to: { path: "(^|node_modules/)(@grpc/|@connectrpc/|grpc-health-check)" },
    },
    {
      name: "generated-code-only-at-the-edge",
      comment: "Messages of the wire are converted at the edge; the core and the log have types of their own.",
      severity: "error",
      from: { path: "^src/", pathNot: `^src/(rpc|server|client|cli)/|${tests}` },
      to: { path: "^gen/" },
    },
    {
      name: "no-tests-from-production-code",
      comment: "What ships must not need what is left out of the package.",
      severity: "error",
      from: { path: "^src/", pathNot: tests },
      to: { path: `${tests}|^(test|bench|scripts)/` },
    },
    {
      name: "no-development-packages-in-production-code",
      comment: "A package that users do not get must not be needed by what they run.",
      severity: "error",
      from: { path: "^src/", pathNot: tests },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only"], pathNot: "node_modules/@types/" },
    },
    {
      name: "nothing-unresolvable",
      comment: "An import that leads nowhere fails only when that line runs.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: ["node_modules", "^gen/"] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "types", "default"] },
  },
};
