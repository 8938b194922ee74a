// What a recovery is to be: as it was asked for, and what that means for the run that is compressed.
import { ConfigError, type ConfigIssue } from "../../errors.ts";
import type { MergedModel } from "../../load/index.ts";
import { full, kindsOf, lora, MERGEABLE, type MethodSettings, recordOf } from "../../peft/index.ts";
import { DEFAULTS, type Settings } from "../../settings/index.ts";
import { headRecord } from "../../tasks/index.ts";

export const RECOVERY_METHODS = ["lora", "full"] as const;

/** A recovery as it was asked for; null stands for what suits the run. */
export interface RecoveryRequest {
  readonly steps: number;
  /** Null: the run's own. */
  readonly method: (typeof RECOVERY_METHODS)[number] | null;
  /** Peak learning rate; null: the run's own, or one that suits another method. */
  readonly rate: number | null;
  /** Share of the loss that asks for the dense model's logits, in [0, 1]; null: a half, but 0 for what writes. */
  readonly distillation: number | null;
}

/** A recovery of a run. */
export interface Recovery {
  readonly steps: number;
  readonly method: MethodSettings;
  readonly rate: number;
  readonly distillation: number;
  /** As in the settings: the smaller base has no record of its pruning, and its zeros are to stay. */
  readonly maskSafe: boolean | null;
  /** The run's own settings, of which the rest is taken. */
  readonly settings: Settings;
}

/** Above the usual 2e-5 of full fine-tuning: a recovery is short. */
const FULL_RATE = 5e-5;

/**
 * What was asked for, with what suits the run where nothing was said; null where nothing is to be recovered.
 * @throws {ConfigError} with every reason why the target cannot be recovered so: it is no run, its method stays beside it, or its
 * answers are not distilled.
 */
export function recoveryFor({ opened, beside }: MergedModel, request: RecoveryRequest | null): Recovery | null {
  if (request === null) return null;
  const { settings, head, method } = opened;
  const issues: ConfigIssue[] = [];
  if (settings === null)
    issues.push({ path: "--recovery-steps", expected: "a RUN to recover", got: "a model without a run" });
  if (beside !== undefined) {
    const got = `one of ${method.settings.kind}`;
    issues.push({ path: "--recovery-steps", expected: `a run of ${kindsOf(MERGEABLE)}`, got });
  }
  const { writes } = headRecord(head);
  const distillation = request.distillation ?? (writes ? 0 : DEFAULTS["distillation-weight"]);
  if (distillation > 0 && writes) {
    const expected = "0 for a model that writes";
    issues.push({ path: "--recovery-distillation", expected, got: String(distillation) });
  }
  if (settings === null || issues.length > 0) throw new ConfigError(issues);
  const maskSafe = settings.maskSafe ?? (opened.base.pruning === null ? null : true);
  return { steps: request.steps, distillation, maskSafe, settings, ...trainedBy(settings, request) };
}

function trainedBy(
  { method: own, optim: { learningRate } }: Settings,
  { method, rate }: RecoveryRequest,
): Pick<Recovery, "method" | "rate"> {
  if (method === "full") return { method: full().settings, rate: rate ?? FULL_RATE };
  // on every layer: it repairs what was cut wherever it was
  const everywhere = (settings: MethodSettings) => recordOf(settings).everywhere?.(settings) ?? settings;
  if (method === null || method === own.kind) return { method: everywhere(own), rate: rate ?? learningRate };
  return { method: everywhere(lora().settings), rate: rate ?? DEFAULTS["learning-rate"] };
}

/** A plan's word on the recovery behind it; without one nothing, whatever the plan that it was taken from says. */
export function recoveryChosen(
  chosen: Readonly<Record<string, unknown>>,
  recovery: Recovery | null,
): Readonly<Record<string, unknown>> {
  const rest = Object.fromEntries(Object.entries(chosen).filter(([key]) => !key.startsWith("recovery")));
  if (recovery === null) return rest;
  const { steps, method, rate, distillation } = recovery;
  return {
    ...rest,
    recoverySteps: steps,
    recoveryMethod: method.kind,
    recoveryRate: rate,
    recoveryDistillation: distillation,
  };
}
