// An adapter's tensors under the names of this base: a missing model prefix, and T5's tables, which are one here.
import type { CheckpointIssue } from "../errors.ts";
import { linearSites } from "../models/index.ts";
import { type Adapter, recordOf } from "../peft/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { BaseModel } from "./base-model.ts";

/**
 * The adapter with the names of the base's parts. One that was trained on a bare `AutoModel` lacks the model's prefix, which is added;
 * its selection of layers is resolved, since its expressions are about names without it. What T5 has no place for is added to `misfits`.
 */
export async function adapterOver(base: BaseModel, adapter: Adapter, misfits: CheckpointIssue[]): Promise<Adapter> {
  const { model } = base;
  if (model.writes) return adapter.method === "lora" ? overT5(base, adapter, misfits) : adapter;
  const { names } = model.facts;
  const prefix = `${names.prefix}.`;
  const isBare = (name: string) => names.parts.some((part) => name.startsWith(`${part}.`));
  const named = (name: string) => (isBare(name) ? prefix + name : name);
  if (![...adapter.tensors.keys()].some(isBare)) return adapter;
  const bare = linearSites(base.model, base.weights).flatMap((site) =>
    site.startsWith(prefix) ? [site.slice(prefix.length)] : [],
  );
  const config = recordOf({ kind: adapter.method }).format?.renamed?.(adapter.config, named, bare) ?? adapter.config;
  const tensors = new Map([...adapter.tensors].map(([name, tensor]) => [named(name), tensor]));
  return { ...adapter, config, tensors } as Adapter;
}

type LoraOf<A extends Adapter> = Extract<A, { method: "lora" }>;

/**
 * A LoRA over a T5, whose tables are one here, `shared`: copies of it are left out, and a LoRA on `shared` itself too, which transformers
 * gives no text (each stack reads its own `embed_tokens`).
 */
async function overT5(base: BaseModel, adapter: LoraOf<Adapter>, misfits: CheckpointIssue[]): Promise<Adapter> {
  const tensors = new Map<string, Tensor>();
  for (const [name, tensor] of adapter.tensors) {
    if (/^shared\.lora_embedding_[AB]$/.test(name)) continue;
    const isCopy = /(^|\.)(shared|embed_tokens|lm_head)\.weight$/.test(name) && !isOwnHead(base, name);
    if (!isCopy) tensors.set(name, tensor);
    else if (!(await isTable(base, tensor))) misfits.push({ name, expected: "the base's own table", got: "another" });
  }
  const targets = adapter.config.targets.filter((target) => target !== "shared");
  return { ...adapter, tensors, config: { ...adapter.config, targets } };
}

const isOwnHead = ({ weights }: BaseModel, name: string): boolean => name === "lm_head.weight" && weights.has(name);

async function isTable({ weights }: BaseModel, { shape, data }: Tensor): Promise<boolean> {
  const table = await weights.get("shared.weight")?.read();
  if (table?.shape.join() !== shape.join()) return false;
  return table.data.every((value: number | bigint, i: number) => value === data[i]);
}
