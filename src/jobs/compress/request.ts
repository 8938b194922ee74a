// What a compression was asked for, and what it works on: opened and checked before anything is measured.
import { ConfigError, type ConfigIssue } from "../../errors.ts";
import { backendOf, type MergedModel, openMergedModel, type RunOverrides, type RunTarget } from "../../load/index.ts";
import { kindsOf, MERGEABLE } from "../../peft/index.ts";
import type { Environment, Fingerprints } from "../../runs/index.ts";
import { checkTargetContent } from "../job-content.ts";
import { FIT_SAMPLE, openCompressData } from "./data.ts";
import type { CompressOptions } from "./options.ts";
import { recoveryFor } from "./recovery.ts";
import { checkRule, compensationFor } from "./rules.ts";
import { checkSwap } from "./swap.ts";

/** What a compression was asked for. */
export interface CompressRequest {
  readonly environment: Environment;
  readonly target: RunTarget;
  readonly options: CompressOptions;
  readonly overrides: RunOverrides;
  readonly signal: AbortSignal | undefined;
  readonly fingerprints: Fingerprints | undefined;
}

/** What a compression works on. @throws {ConfigError} for options that do not fit the target. */
export async function openJob({ environment, target, options, overrides, fingerprints }: CompressRequest) {
  const frozen = await openMergedModel(environment, target, overrides, { keepsMethod: true });
  await checkTargetContent(environment, target, frozen.opened, fingerprints);
  checkOptions(frozen, options);
  if (options.activation !== null) checkSwap(frozen);
  const recovery = recoveryFor(frozen, options.recovery);
  const sites = frozen.model.mlps;
  checkRule(sites, options.rule);
  const compensation = compensationFor(frozen, options);
  const data = await openCompressData(
    environment,
    frozen,
    options.calibrationExamples,
    ...(options.activation === null ? [] : [FIT_SAMPLE]),
  );
  const backend = backendOf(environment, frozen.opened);
  const { base } = frozen.opened;
  const adapter = frozen.adapterFingerprint === null ? null : { fingerprint: frozen.adapterFingerprint };
  const planTarget = {
    base: { model: base.name, fingerprint: base.fingerprint },
    adapter,
    sites,
    hiddenSize: frozen.model.config.hiddenSize,
  };
  return { frozen, recovery, sites, compensation, data, backend, planTarget };
}

export type OpenedCompression = Awaited<ReturnType<typeof openJob>>;

/** @throws {ConfigError} where weights in few bits could not be measured, or nothing decodes. */
function checkOptions({ model, opened, beside }: MergedModel, options: CompressOptions): void {
  const { quantization, decodingBudget } = options;
  const { kind } = opened.method.settings;
  const issues: ConfigIssue[] = [];
  if (quantization === "qdq" && model.writes) {
    const expected = `int8 or int4 for ${opened.base.name}, an encoder–decoder`;
    issues.push({ path: "--quantize", expected, got: quantization });
  }
  if (decodingBudget !== null && (!model.writes || beside !== undefined)) {
    const expected = `a model that writes text, with its method merged (${kindsOf(MERGEABLE)})`;
    issues.push({ path: "--decoding-budget", expected, got: beside === undefined ? opened.base.name : kind });
  }
  if (issues.length > 0) throw new ConfigError(issues);
}
