/**
 * Lint rules. Two jobs: the typed rules catch floating promises and unsafe any; the rules for the pure folders keep the
 * clock, chance and asynchrony out of the core (tsconfig.pure.json keeps Node out).
 */
import eslint from "@eslint/js";
import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

/** The deterministic folders. tsconfig.pure.json and .dependency-cruiser.mjs have the same list. */
const pureFolders = ["base", "zab", "tree", "sessions", "watches", "replica", "sim"];

const pureMessage = "The core is deterministic (docs/architecture.md): no clock, chance, I/O or asynchrony in here.";

const impureGlobals = [
  ...["Date", "Promise", "Intl", "performance", "process", "console", "Buffer", "crypto", "fetch", "globalThis"],
  ...["setTimeout", "setInterval", "setImmediate", "clearTimeout", "clearInterval", "clearImmediate"],
  ...["queueMicrotask", "structuredClone", "WeakRef", "FinalizationRegistry", "SharedArrayBuffer", "Atomics"],
  ...["Temporal", "require", "module", "__dirname", "__filename"],
];

const impureSyntax = [
  { selector: ":function[async=true]", message: `No async functions. ${pureMessage}` },
  { selector: "AwaitExpression, ForOfStatement[await=true]", message: `No await. ${pureMessage}` },
  { selector: "ImportExpression", message: `No dynamic import. ${pureMessage}` },
  { selector: "MetaProperty[meta.name='import']", message: `No import.meta. ${pureMessage}` },
  { selector: "TSTypeReference > Identifier[name=/^Promise(Like)?$/]", message: `No promises. ${pureMessage}` },
  {
    selector: "MemberExpression[property.name=/^(localeCompare|toLocale.*|normalize)$/]",
    message: `Its result depends on the ICU data of the runtime. ${pureMessage}`,
  },
  {
    selector: "Program > VariableDeclaration[kind='let'], ExportNamedDeclaration > VariableDeclaration[kind='let']",
    message: "No state outside of objects: two replicas in one process would share it.",
  },
];

export default defineConfig(
  globalIgnores(["gen/", "dist/", "build/", "data/", ".venv/"]),
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  eslint.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true, requireDefaultForNonUnion: false },
      ],
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": "error",
      "object-shorthand": "error",
      "@typescript-eslint/consistent-type-definitions": ["error", "interface"],
      "@typescript-eslint/prefer-readonly": "error",
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true, allowNullish: false },
      ],
      "@typescript-eslint/no-unnecessary-condition": [
        "error",
        { allowConstantLoopConditions: "only-allowed-literals" },
      ],
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_", caughtErrorsIgnorePattern: "^_" },
      ],

      // `a[i]!` is honest where an index was just checked, above all in typed arrays.
      "@typescript-eslint/no-non-null-assertion": "off",
      // `() => stop()` is readable as it is.
      "@typescript-eslint/no-confusing-void-expression": "off",
      // An implementation of an asynchronous interface need not wait for anything.
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/no-empty-function": "off",
      // A gRPC status code is a number on the wire.
      "@typescript-eslint/no-unsafe-enum-assignment": "off",
      "@typescript-eslint/no-misused-spread": "off",
      "@typescript-eslint/no-unnecessary-type-parameters": "off",
      "@typescript-eslint/no-dynamic-delete": "off",
      // TypeScript checks undefined names.
      "no-undef": "off",
    },
  },
  {
    name: "pure folders",
    files: pureFolders.map((folder) => `src/${folder}/**/*.ts`),
    ignores: ["**/*.test.ts"],
    rules: {
      "no-restricted-globals": ["error", ...impureGlobals.map((name) => ({ name, message: pureMessage }))],
      "no-restricted-properties": ["error", { object: "Math", property: "random", message: pureMessage }],
      "no-restricted-syntax": ["error", ...impureSyntax],
      "no-restricted-imports": [
        "error",
        { patterns: [{ regex: "^(?!\\.\\.?/)", message: `Neither Node nor packages. ${pureMessage}` }] },
      ],
    },
  },
  {
    name: "tests",
    files: ["**/*.test.ts", "test/**/*.ts"],
    rules: {
      // Tests feed nonsense on purpose.
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
    },
  },
  {
    name: "plain JavaScript",
    files: ["**/*.js", "**/*.mjs"],
    extends: [tseslint.configs.disableTypeChecked],
  },
);
