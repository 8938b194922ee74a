// Which files are pages of the site, in which order, and under which heading of its sidebar.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A group of the sidebar: pages by their path in the repository. */
export interface PageGroup {
  readonly title: string;
  readonly files: readonly string[];
}

const under = (folder: string, ...names: string[]) => names.map((name) => `docs/${folder}/${name}.md`);

/** The sidebar: the four kinds of documentation, then how the code is laid out. */
export const GROUPS: readonly PageGroup[] = [
  { title: "Tutorials", files: under("tutorial", "own-data", "first-program", "autodiff") },
  {
    title: "How-to guides",
    files: under(
      "how-to",
      "install",
      "own-csv",
      "from-typescript",
      "jobs-as-data",
      "glue",
      "squad",
      "write-texts",
      "choose-a-method",
      "qlora",
      "ia3",
      "sparse-activations",
      "read-density",
      "remove-neurons",
      "faster-inference",
      "distil",
      "predict",
      "compare-runs",
      "resume",
      "export-transformers-js",
      "browser",
      "export-peft",
      "out-of-memory",
      "training-speed",
      "offline",
      "gpu",
    ),
  },
  {
    title: "Reference",
    files: [
      ...under("reference", "commands", "settings", "data-files", "run-folder", "interchange", "tokenizers", "errors"),
      "docs/data.md",
      "docs/guarantees.md",
      "docs/api.md",
    ],
  },
  {
    title: "Explanation",
    files: under(
      "explanation",
      "density",
      "compress",
      "curves",
      "zeros",
      "gates",
      "static-cuts",
      "methods",
      "pruning",
      "distillation",
      "class-weights",
      "quantisation",
      "performance",
      "parquet-report",
    ),
  },
  {
    title: "Internals",
    files: [
      "ARCHITECTURE.md",
      "docs/NOTATION.md",
      "docs/PARITY.md",
      "bench/README.md",
      "assets/demo/README.md",
      ...readdirSync(join(ROOT, "docs/rooms"))
        .sort()
        .map((name) => `docs/rooms/${name}`),
    ],
  },
];

const RENAMED: Readonly<Record<string, string>> = {
  "README.md": "overview.md",
  "ARCHITECTURE.md": "internals/architecture.md",
  "bench/README.md": "internals/benchmarks.md",
  "assets/demo/README.md": "internals/demo.md",
  "docs/NOTATION.md": "internals/notation.md",
  "docs/PARITY.md": "internals/parity.md",
  "docs/api.md": "reference/names.md",
};

/** The path of a file's page in the site. */
export function pageOf(file: string): string {
  return RENAMED[file] ?? file.replace(/^docs\/rooms\//, "internals/rooms/").replace(/^docs\//, "");
}

/** The page that typedoc writes for a door's file. */
export const doorPage = (file: string) => `reference/api/${file.replace(/^src\/|\.ts$/g, "")}.md`;

/** Every page of the site by its file's path in the repository; `index.md` and the README stand outside the sidebar. */
export function sitePages(): ReadonlyMap<string, string> {
  const files = ["docs/index.md", "README.md", ...GROUPS.flatMap((group) => group.files)];
  return new Map(files.map((file) => [file, pageOf(file)]));
}

/** The first heading of a file, without marks. */
export function titleOf(file: string): string {
  const heading = /^# (.+)$/m.exec(readFileSync(join(ROOT, file), "utf8"))?.[1] ?? file;
  return heading.replaceAll("`", "");
}
