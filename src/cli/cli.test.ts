// The command's frame: help, errors, exit codes, the terminal and Ctrl-C.
import { EventEmitter } from "node:events";
import { describe, expect, test } from "vitest";
import { sampleEvents } from "../../test/support/records.ts";
import { BackendError, ConfigError, FileError, InternalError } from "../errors.ts";
import { DEFAULTS, SETTING_COMMANDS, SETTINGS, SETTINGS_KEYS, settingText } from "../settings/table/index.ts";
import { COMMANDS } from "./commands.ts";
import { errorReport } from "./error-report.ts";
import { COMMON_FLAGS, settingFlags } from "./flags.ts";
import { eventDisplay } from "./follow.ts";
import { interruptible } from "./interrupt.ts";
import { main } from "./main.ts";
import { openTerminal, type Screen } from "./terminal.ts";

function screen(isTTY = false): Screen & { text: string } {
  return {
    text: "",
    isTTY,
    columns: 100,
    write(text) {
      this.text += text;
      return true;
    },
  };
}

async function deft(...argv: string[]) {
  const [out, err] = [screen(), screen()];
  const code = await main(argv, { out, err });
  return { code, out: out.text, err: err.text };
}

describe("deft", () => {
  test("help lists every command and costs nothing", async () => {
    const { code, out, err } = await deft("--help");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    for (const { name } of COMMANDS) expect(out).toMatch(new RegExp(`^  ${name}\\b`, "m"));
    expect((await deft()).out).toBe(out);
  });

  test("--help of the smallest command, whole", async () => {
    expect((await deft("report", "--help")).out).toMatchInlineSnapshot(`
      "Usage: deft report [options] <runs...>

      Write one HTML page of runs and compressed models; it opens without a server.

      Arguments:
        runs             Folders of runs and of compressed models; runs that differ only in the density
                         loss are compared.

      Basic options:
        --output <FILE>  Write the page here.
        --bench <FILE>   Show what deft bench --json printed beside the scores.

      Output:
        --json           Print JSON on standard output, and nothing else there.
        -q, --quiet      Print results and errors only.
        -v, --verbose    Print more detail, and the stacks of errors.
        -h, --help       Print this help.

      Examples:
        deft report runs/sst2
        deft report runs/plain runs/deft --output both.html
        deft report runs/sst2 runs/sst2-small runs/sst2-fast --bench bench.json

      "
    `);
  });

  test.each(COMMANDS.map(({ name }) => name))("%s --help has examples and its flags", async (name) => {
    const { code, out } = await deft(name, "--help");
    expect(code).toBe(0);
    expect(out).toContain(`Examples:\n  deft ${name}`);
    for (const flag of COMMON_FLAGS) expect(out).toContain(`--${flag.name}`);
    for (const line of out.split("\n")) expect(line.length).toBeLessThanOrEqual(110);
  });

  test("--version is the package's", async () => {
    expect((await deft("--version")).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test.each([
    [["trian"], "Did you mean train?"],
    [["train", "--epocs", "3"], "Did you mean --epochs?"],
    [["report"], "missing required argument 'runs'"],
    [["train", "--epochs"], "argument missing"],
    [["doctor", "extra"], "too many arguments"],
    [["train", "--task", "sst", "--epochs", "x"], "did you mean sst2?"],
    [["train", "--resume"], "--resume: expected --output RUN"],
    [["train", "--keep", "beast"], '--keep: expected one of best, last, got "beast" (did you mean best?)'],
    [["train", "--task", "cola", "--metric", "pearson"], "--metric: expected a metric of cola: "],
    [["train", "--class-weights", "spam:2"], "--class-weights: expected balanced, or a number above 0 for each class"],
    [["train", "--labels", "a,a"], "--labels: expected different class names, joined by commas or as a JSON list"],
    [["train", "--task", "sst2", "--labels", "a,b"], "--labels: expected a task of classes over a table of one's own"],
    [["train", "--quantize", "qdq"], "--quantize: expected one of nf4, int8, int4, none"],
    [["complete", "csh"], "SHELL: expected one of bash, zsh, fish, powershell"],
    [["eval"], "RUN: expected a run's folder"],
    [["report", "/nowhere/run"], "/nowhere/run: expected a run's folder, got nothing there"],
    [["train", "/nowhere/config.yaml"], "/nowhere/config.yaml"],
  ])("%j is refused with exit code 2, a message and no stack", async (argv, message) => {
    const { code, out, err } = await deft(...argv);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(message);
    expect(err).not.toMatch(/^\s+at /m);
  });

  test("every mistake is listed, of whatever kind", async () => {
    const { err } = await deft("train", "--task", "sst", "--epochs", "x", "--rank", "4", "--method", "head");
    expect(err.match(/^--[\w-]+: expected/gm)).toEqual([
      "--task: expected",
      "--epochs: expected",
      "--model: expected",
      "--data: expected",
      "--rank: expected",
    ]);
  });
});

describe("flags", () => {
  test("are the settings' keys, and show the defaults in force", () => {
    const keys = new Set<string>(SETTINGS_KEYS);
    for (const flag of [...settingFlags("train"), ...settingFlags("compare")]) {
      expect(keys).toContain(flag.name);
      const usual = (DEFAULTS as Readonly<Record<string, unknown>>)[flag.name];
      if (flag.kind !== "switch" && usual !== "")
        expect(flag.default, flag.name).toBe(usual === undefined ? undefined : settingText(usual));
    }
  });

  test("of settings and rows of the table are one to one: each command has those that its rows name", () => {
    const shown = new Set<string>();
    for (const command of SETTING_COMMANDS) {
      const flags = COMMANDS.find(({ name }) => name === command)!.flags.map(({ name }) => name);
      const rows = SETTINGS_KEYS.filter((key) => SETTINGS[key].commands.includes(command));
      for (const key of rows) {
        expect(flags.filter((name) => name === key)).toEqual([key]);
        shown.add(key);
      }
    }
    expect([...shown].sort()).toEqual([...SETTINGS_KEYS].sort());
  });

  test.each(COMMANDS.map((command) => [command.name, command] as const))(
    "%s: has every flag once, each with a whole sentence, a few of them first",
    (_, { flags, args = [] }) => {
      expect(new Set(flags.map(({ name }) => name)).size).toBe(flags.length);
      for (const help of [...flags.map((flag) => flag.help), ...args.map(([, words]) => words)])
        expect(help).toMatch(/^[A-Z][^\n]*[a-z0-9)"]\.$/);
      expect(flags.filter(({ level }) => level === "basic").length).toBeLessThanOrEqual(16);
    },
  );
});

test("only faults of ours end with 1, and only unexpected ones with a stack", () => {
  expect(errorReport(new ConfigError([{ path: "a", expected: "b", got: "c" }]))).toEqual({
    text: "a: expected b, got c",
    code: 2,
  });
  expect(errorReport(new FileError("f", "x", { hint: "mend it" }))).toEqual({ text: "f: x\nmend it", code: 2 });
  expect(errorReport(new BackendError("cpu", "run", "failed"))).toEqual({ text: "cpu (run): failed", code: 1 });
  expect(errorReport(new InternalError("odd")).text).toMatch(/please report it[\s\S]*\n\s+at /);
  expect(errorReport(new TypeError("x")).text).toMatch(/TypeError: x\n\s+at /);
  expect(errorReport(new FileError("f", "x", { cause: new Error("root") }), { verbose: true }).text).toContain(
    "cause: Error: root",
  );
});

describe("terminal", () => {
  const events = sampleEvents();

  function shown(isTTY: boolean, loudness: "normal" | "silent", msPerStep: number) {
    const [out, err] = [screen(), screen(isTTY)];
    let time = 0;
    const terminal = openTerminal({ out, err, loudness, now: () => (time += msPerStep) });
    events.forEach(eventDisplay(terminal, "a"));
    terminal.done();
    return { out: out.text, err: err.text };
  }

  test("without a terminal: a plain line every few seconds, none with control codes", () => {
    const { out, err } = shown(false, "normal", 100);
    expect(out).toBe("");
    expect(["\u001b", "\r"].some((code) => err.includes(code))).toBe(false);
    expect(err.match(/^a {2}step /gm)?.length).toBeLessThan(20);
    expect(err.match(/^a {2}eval at step /gm)).toHaveLength(4);
  });

  test("on a terminal: one region, redrawn, gone at the end", () => {
    const { err } = shown(true, "normal", 100);
    expect(err.match(/━/g)?.length).toBeGreaterThan(100);
    expect(err.slice(err.lastIndexOf("\r\u001b[2K"))).toMatch(
      /K *a {2}eval at step 400[^\n]*\na {2}done after 400 steps[^\n]*\n$/,
    );
    for (const region of err.split(/[\n\r]/)) expect(region.length).toBeLessThan(110);
  });

  test("silent: nothing but errors and results", () => {
    expect(shown(true, "silent", 100)).toEqual({ out: "", err: "" });
    const err = screen();
    openTerminal({ err, loudness: "silent" }).warn("failed");
    expect(err.text).toBe("failed\n");
  });
});

test("the first Ctrl-C asks to stop where there is something to save; any other is left to the system", () => {
  const source = new EventEmitter();
  const err = screen();
  const interrupt = interruptible(openTerminal({ err }), source as never);
  const listening = () => ["SIGINT", "SIGTERM", "SIGHUP"].map((name) => source.listenerCount(name));
  expect(listening()).toEqual([0, 0, 0]);
  interrupt.saves(true);
  interrupt.saves(true);
  expect(listening()).toEqual([1, 1, 1]);
  interrupt.saves(false);
  expect(listening()).toEqual([0, 0, 0]);
  interrupt.saves(true);
  source.emit("SIGINT");
  expect(interrupt.signal.aborted).toBe(true);
  expect(err.text).toContain("Stopping after this step");
  interrupt.saves(true);
  expect(listening()).toEqual([0, 0, 0]);
});
