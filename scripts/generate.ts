/**
 * `npm run gen`: writes everything under gen/ and docs/errors.md from proto/ and src/base/reasons.ts. Local plugins only.
 *
 * `npm run check` does the same into a temporary folder and compares.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema, type FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { errorsPage, pythonReasons } from "./generate-reasons.ts";
import { must, root, stating } from "./lib.ts";

/** What belongs to the generator: anything else in these folders is a leftover. */
const folders = ["gen/ts", "gen/python"];
const files = ["docs/errors.md"];

/** Left by tools that use the Python package in place. */
const notGenerated = /(^|\/)(__pycache__|build|[^/]+\.egg-info)(\/|$)/;

/** Writes all generated files below `target`, laid out as in the repository. */
async function generateInto(target: string): Promise<void> {
  await must(["buf", "generate", "--output", target]);
  await generatePython(join(target, "gen", "python"));
  await mkdir(join(target, "docs"), { recursive: true });
  await writeFile(join(target, "docs", "errors.md"), errorsPage());
}

async function generatePython(target: string): Promise<void> {
  await must([join(root, "scripts", "python-env.sh")]);
  await cp(join(root, "scripts", "python-package"), target, { recursive: true });
  const protos = await protoFiles();
  const outputs = ["python", "pyi", "grpc_python"].map((plugin) => `--${plugin}_out=${target}`);
  const python = join(root, ".venv", "oldest", "bin", "python");
  await must([python, "-m", "grpc_tools.protoc", "-Iproto", ...outputs, ...protos.map((file) => `proto/${file.name}`)]);

  const packages = Map.groupBy(protos, (file) => dirname(file.name));
  for (const [folder, members] of packages) {
    for (let parent = dirname(folder); parent !== "."; parent = dirname(parent)) {
      await writeFile(join(target, parent, "__init__.py"), '"""Generated gRPC stubs of zabtree."""\n');
    }
    await writeFile(join(target, folder, "__init__.py"), pythonPackage(members));
  }
  await writeFile(join(target, "zabtree", "reasons.py"), pythonReasons());
  await writeFile(join(target, "zabtree", "py.typed"), "");
}

/** Our own .proto files, without what they import from elsewhere. */
async function protoFiles(): Promise<readonly FileDescriptorProto[]> {
  const folder = await mkdtemp(join(tmpdir(), "zabtree-proto-"));
  try {
    const image = join(folder, "image.binpb");
    await must(["buf", "build", "proto", "--as-file-descriptor-set", "--exclude-imports", "--output", image]);
    return fromBinary(FileDescriptorSetSchema, await readFile(image)).file;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The `__init__.py` of one proto package: every name it defines, by one import. */
function pythonPackage(protos: readonly FileDescriptorProto[]): string {
  const imports: string[] = [];
  const all: string[] = [];
  const add = (module: string, names: readonly string[]): void => {
    if (names.length === 0) return;
    imports.push(`from ${module} import (`, ...names.map((name) => `    ${name},`), ")");
    all.push(...names);
  };
  for (const proto of protos) {
    const module = proto.name.replace(/\.proto$/, "_pb2").replaceAll("/", ".");
    const values = proto.enumType.flatMap((type) => [type.name, ...type.value.map((value) => value.name)]);
    add(module, [...proto.messageType.map((type) => type.name), ...values]);
    add(
      `${module}_grpc`,
      proto.service.flatMap((service) => [`${service.name}Stub`, `${service.name}Servicer`]),
    );
  }
  const name = protos[0]?.package ?? "";
  const list = ["__all__ = [", ...all.map((entry) => `    "${entry}",`), "]"];
  return [`"""Every message, enum and stub of ${name}. Generated."""`, "", ...imports, "", ...list, ""].join("\n");
}

export interface Difference {
  readonly kind: "missing" | "differs" | "left over";
  readonly name: string;
}

/** How the working tree differs from what the generator writes. */
export function differences(): Promise<readonly Difference[]> {
  return withFreshFiles((fresh) => compareTrees(fresh, root));
}

/** Compares the generated files below two places. */
export async function compareTrees(fresh: string, present: string): Promise<readonly Difference[]> {
  const [wanted, found] = await Promise.all([generatedFiles(fresh), generatedFiles(present)]);
  const result: Difference[] = [];
  for (const [name, content] of wanted) {
    const other = found.get(name);
    if (other === undefined) result.push({ kind: "missing", name });
    else if (!other.equals(content)) result.push({ kind: "differs", name });
  }
  for (const name of found.keys()) if (!wanted.has(name)) result.push({ kind: "left over", name });
  return result;
}

/** Touches nothing that is up to date, so that it can run while the files are in use. */
function writeDifferences(): Promise<number> {
  return withFreshFiles(async (fresh) => {
    const found = await compareTrees(fresh, root);
    for (const { kind, name } of found) {
      if (kind === "left over") {
        await rm(join(root, name));
      } else {
        await mkdir(dirname(join(root, name)), { recursive: true });
        await cp(join(fresh, name), join(root, name));
      }
    }
    return found.length;
  });
}

async function withFreshFiles<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const fresh = await mkdtemp(join(tmpdir(), "zabtree-gen-"));
  try {
    await generateInto(fresh);
    return await use(fresh);
  } finally {
    await rm(fresh, { recursive: true });
  }
}

async function generatedFiles(base: string): Promise<ReadonlyMap<string, Buffer>> {
  const result = new Map<string, Buffer>();
  for (const folder of folders) {
    const entries = await readdir(join(base, folder), { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const name = relative(base, join(entry.parentPath, entry.name));
      if (entry.isFile() && !notGenerated.test(name)) result.set(name, await readFile(join(base, name)));
    }
  }
  for (const name of files) {
    const content = await readFile(join(base, name)).catch(() => undefined);
    if (content !== undefined) result.set(name, content);
  }
  return result;
}

if (import.meta.main) {
  await stating("gen", async () => {
    const changed = await writeDifferences();
    return changed === 0 ? "everything is up to date" : `${String(changed)} files changed`;
  });
}
