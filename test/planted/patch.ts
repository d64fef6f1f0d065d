/** A planted bug: a unified diff against the sources, with a header that says what it is. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

export interface PlantedBug {
  /** As in the name of its file. */
  readonly name: string;
  readonly file: string;
  /** What is wrong, in one sentence. */
  readonly bug: string;
  /** The checks one of which should find it. */
  readonly caughtBy: readonly string[];
  /** Seeds it may take in the quick run; undefined for not part of it. */
  readonly quick: number | undefined;
}

const here = import.meta.dirname;

export function readBugs(): PlantedBug[] {
  const files = readdirSync(here).filter((file) => file.endsWith(".patch"));
  return files.sort().map((file) => readBug(join(here, file)));
}

/** The lines before the first `---` are `Field: text`; a line that begins with a space goes on with the one before. */
function readBug(file: string): PlantedBug {
  const name = basename(file, ".patch");
  const text = readFileSync(file, "utf8");
  const header = text.slice(0, text.indexOf("\n--- ")).replaceAll(/\n +/g, " ");
  const fields = new Map<string, string>();
  for (const line of header.split("\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 2).trim());
  }
  const field = (key: string): string => {
    const value = fields.get(key);
    if (value === undefined) throw new Error(`${name}.patch has no line that begins with "${key}: "`);
    return value;
  };
  field("Rule");
  const quick = fields.get("Quick");
  return {
    name,
    file,
    bug: field("Bug"),
    caughtBy: field("Caught by").split(", "),
    quick: quick === undefined ? undefined : Number(quick),
  };
}
