// `deft doctor`: what this machine has, what is missing, and how to get it.
import { execFile } from "node:child_process";
import { access, constants, readFile, stat } from "node:fs/promises";
import { availableParallelism, cpus, freemem, homedir, totalmem } from "node:os";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { hubSettings } from "../../hub/index.ts";
import { bytes, renderTable, toJson } from "../../report/index.ts";
import type { Body } from "../command.ts";
import type { Terminal } from "../terminal.ts";

/** One line of the doctor's findings. */
interface Finding {
  readonly name: string;
  readonly status: "ok" | "missing" | "optional";
  readonly value: string;
  /** How to get what is missing. */
  readonly hint?: string;
}

export const run: Body = async ({ terminal, json }) => {
  const cpuInfo = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  const findings = [
    nodeFinding(),
    await runtimeFinding(),
    coresFinding(cpuInfo),
    vectorFinding(cpuInfo),
    memoryFinding(),
    await cacheFinding(),
    await pythonFinding(),
  ];
  if (json) terminal.print(JSON.stringify(toJson({ findings })));
  else terminal.print(findingsText(findings, terminal));
  return findings.some((finding) => finding.status === "missing") ? 1 : 0;
};

function findingsText(findings: readonly Finding[], terminal: Terminal): string {
  const marks = {
    ok: terminal.style("green", "ok", "out"),
    missing: terminal.style("red", "missing", "out"),
    optional: terminal.style("yellow", "optional", "out"),
  };
  const table = renderTable(
    {
      head: ["", "", ""],
      align: ["left", "left", "left"],
      rows: findings.map(({ name, status, value }) => [name, marks[status], value]),
    },
    (text) => terminal.style("bold", text, "out"),
  ).slice(2);
  const hints = findings.flatMap(({ name, hint }) => (hint === undefined ? [] : [`${name}: ${hint}`]));
  return [...table, ...(hints.length === 0 ? [] : ["", ...hints])].join("\n");
}

const NODE_FLOOR = [20, 19];

function nodeFinding(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const isEnough = major > NODE_FLOOR[0]! || (major === NODE_FLOOR[0] && minor >= NODE_FLOOR[1]!);
  const value = `${process.versions.node}, ${process.platform}-${process.arch}`;
  if (isEnough) return { name: "Node", status: "ok", value };
  return {
    name: "Node",
    status: "missing",
    value,
    hint: `deft needs Node ${NODE_FLOOR.join(".")} or newer (https://nodejs.org).`,
  };
}

async function runtimeFinding(): Promise<Finding> {
  const name = "ONNX Runtime";
  const { findEngine, listBackends } = await import("../../node.ts");
  const engine = findEngine();
  if (engine === null) {
    const hint = "`deft setup` fetches it from the npm registry (114 MB); so does the first command that needs it.";
    return { name, status: "missing", value: "none", hint };
  }
  const place = `${engine.version}, ${engine.folder}`;
  try {
    const backends = (await listBackends()).map(({ name, bundled }) => name + (bundled ? "" : " (not bundled)"));
    return { name, status: "ok", value: `${place}; ${backends.join(", ")}` };
  } catch (error) {
    const value = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    const hint = `It does not load on this system. Remove ${engine.folder} and run \`deft setup\` to fetch it anew.`;
    return { name, status: "missing", value, hint };
  }
}

function coresFinding(cpuInfo: string): Finding {
  const model = cpus()[0]?.model ?? "unknown processor";
  const ids = [...cpuInfo.matchAll(/physical id\s*:\s*(\d+)[\s\S]*?core id\s*:\s*(\d+)/g)].map(
    ([, p, c]) => `${p}:${c}`,
  );
  const physical = new Set(ids).size;
  const value = `${availableParallelism()} usable${physical > 0 ? `, ${physical} physical` : ""}; ${model}`;
  return { name: "Cores", status: "ok", value };
}

const VECTOR_FLAGS = ["avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_tile", "asimd"];

function vectorFinding(cpuInfo: string): Finding {
  const flags = new Set(/^(?:flags|Features)\s*:\s*(.*)$/m.exec(cpuInfo)?.[1]?.split(" ") ?? []);
  const found = VECTOR_FLAGS.filter((flag) => flags.has(flag));
  if (cpuInfo === "") return { name: "Vector units", status: "optional", value: "not known on this system" };
  if (found.length > 0) return { name: "Vector units", status: "ok", value: found.join(" ") };
  return {
    name: "Vector units",
    status: "optional",
    value: "none of AVX2, AVX-512, NEON",
    hint: "It runs, but slowly.",
  };
}

function memoryFinding(): Finding {
  return { name: "Memory", status: "ok", value: `${bytes(freemem())} free of ${bytes(totalmem())}` };
}

async function cacheFinding(): Promise<Finding> {
  const { cacheFolder, isOffline, token } = hubSettings(process.env, homedir());
  const notes = [isOffline ? "offline mode" : "", token === null ? "" : "token set"].filter((note) => note !== "");
  const value = [cacheFolder, ...notes].join("; ");
  try {
    const place = await nearestFolder(cacheFolder);
    await access(place, constants.W_OK);
    return { name: "Model cache", status: "ok", value };
  } catch {
    const hint = "It cannot be written: set HF_HOME to a folder of yours. Local model folders work without it.";
    return { name: "Model cache", status: "optional", value, hint };
  }
}

async function nearestFolder(path: string): Promise<string> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  return isThere || dirname(path) === path ? path : nearestFolder(dirname(path));
}

const PYTHON_PACKAGES = ["torch", "transformers", "peft"];
const PYTHON_CODE = `
import sys, importlib.metadata as m
def v(p):
    try: return p + " " + m.version(p)
    except m.PackageNotFoundError: return ""
print(sys.version.split()[0], *filter(None, map(v, ${JSON.stringify(PYTHON_PACKAGES)})), sep=", ")`;

async function pythonFinding(): Promise<Finding> {
  const name = "Python";
  try {
    const { stdout } = await promisify(execFile)("python3", ["-c", PYTHON_CODE], { timeout: 10_000 });
    const missing = PYTHON_PACKAGES.filter((of) => !stdout.includes(of));
    if (missing.length === 0) return { name, status: "ok", value: stdout.trim() };
    const hint = `Only for comparisons with PyTorch: pip install ${missing.join(" ")}`;
    return { name, status: "optional", value: stdout.trim(), hint };
  } catch {
    return {
      name,
      status: "optional",
      value: "none",
      hint: "Only for comparisons with PyTorch; deft does not need it.",
    };
  }
}
