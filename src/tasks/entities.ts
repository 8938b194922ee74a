// Entities among tags: as seqeval scores them, and as transformers' pipeline groups tokens into them.
// Source: seqeval 1.2.2, `get_entities` in its default mode; transformers, `TokenClassificationPipeline.group_entities`.

/** A run of words of one type, from word `start` to word `end`. */
export interface Entity {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/** The entities of a sentence's tags, whichever of IOB1, IOB2, IOE and IOBES they are in; a tag without a type has the type `_`. */
export function entitiesOf(tags: readonly string[]): Entity[] {
  const found: Entity[] = [];
  let [before, typeBefore, start] = ["O", "", 0];
  for (const [i, whole] of [...tags, "O"].entries()) {
    const tag = whole.slice(0, 1);
    const rest = whole.slice(1);
    const type = (rest.includes("-") ? rest.slice(rest.indexOf("-") + 1) : rest) || "_";
    const isOther = typeBefore !== type;
    if (endsBefore(before, tag, isOther)) found.push({ type: typeBefore, start, end: i - 1 });
    if (startsAt(before, tag, isOther)) start = i;
    [before, typeBefore] = [tag, type];
  }
  return found;
}

function endsBefore(before: string, tag: string, isOther: boolean): boolean {
  if (before === "E" || before === "S") return true;
  if ((before === "B" || before === "I") && ["B", "S", "O"].includes(tag)) return true;
  return isOther && before !== "O" && before !== ".";
}

function startsAt(before: string, tag: string, isOther: boolean): boolean {
  if (tag === "B" || tag === "S") return true;
  if (["E", "S", "O"].includes(before) && (tag === "E" || tag === "I")) return true;
  return isOther && tag !== "O" && tag !== ".";
}

/** What was found of the entities of some sentences, and how many tags are right. */
export interface EntityCounts {
  found: number;
  given: number;
  right: number;
  rightTags: number;
  tags: number;
}

/** The counts of one sentence, by the tags that it was given and the right ones. */
export function countEntities(given: readonly string[], right: readonly string[]): EntityCounts {
  const named = (tags: readonly string[]) =>
    new Set(entitiesOf(tags).map(({ type, start, end }) => `${start} ${end} ${type}`));
  const [ours, theirs] = [named(given), named(right)];
  return {
    found: [...ours].filter((entity) => theirs.has(entity)).length,
    given: ours.size,
    right: theirs.size,
    rightTags: given.filter((tag, i) => tag === right[i]).length,
    tags: right.length,
  };
}

/**
 * `precision`, `recall` and `f1` over entities, and `accuracy` over tags, as HF evaluate's seqeval gives `overall_…`. What is divided by
 * nothing is 0; accuracy without tags is NaN.
 */
export function entityMetrics(
  sentences: Iterable<EntityCounts>,
): Record<"precision" | "recall" | "f1" | "accuracy", number> {
  const sum = { found: 0, given: 0, right: 0, rightTags: 0, tags: 0 };
  for (const counts of sentences) for (const key of Object.keys(sum) as (keyof EntityCounts)[]) sum[key] += counts[key];
  const share = (of: number, all: number) => (all === 0 ? 0 : of / all);
  return {
    precision: share(sum.found, sum.given),
    recall: share(sum.found, sum.right),
    f1: share(2 * sum.found, sum.given + sum.right),
    accuracy: sum.rightTags / sum.tags,
  };
}

/** One token as a model labels it. */
export interface LabelledToken {
  readonly label: string;
  /** Probability of the label. */
  readonly score: number;
  readonly word: string;
  /** UTF-16 units of the text. */
  readonly start: number;
  readonly end: number;
}

/** Neighbouring tokens of one entity, with keys as transformers' pipelines write them. */
export interface EntityGroup {
  readonly entity_group: string;
  /** Mean probability of the tokens' labels. */
  readonly score: number;
  readonly word: string;
  readonly start: number;
  readonly end: number;
}

/**
 * Groups tokens as `aggregation_strategy="simple"` does: a token goes on with the one before when both have one type and it is no `B-`.
 * Tokens labelled `O` are left out. `spell` makes one text of tokens.
 */
export function groupTokens(
  tokens: readonly LabelledToken[],
  spell: (words: readonly string[]) => string,
): EntityGroup[] {
  const groups: LabelledToken[][] = [];
  for (const token of tokens) {
    const last = groups.at(-1);
    const { begins, type } = parts(token.label);
    if (last !== undefined && !begins && parts(last.at(-1)!.label).type === type) last.push(token);
    else groups.push([token]);
  }
  return groups.map((group) => groupOf(group, spell)).filter(({ entity_group: type }) => type !== "O");
}

function parts(label: string): { readonly begins: boolean; readonly type: string } {
  const prefix = label.slice(0, 2);
  return { begins: prefix === "B-", type: prefix === "B-" || prefix === "I-" ? label.slice(2) : label };
}

function groupOf(group: readonly LabelledToken[], spell: (words: readonly string[]) => string): EntityGroup {
  const [first, last] = [group[0]!, group.at(-1)!];
  const { label } = first;
  return {
    // behind the first hyphen, whatever stands before it
    entity_group: label.includes("-") ? label.slice(label.indexOf("-") + 1) : label,
    score: group.reduce((sum, { score }) => sum + score, 0) / group.length,
    word: spell(group.map(({ word }) => word)),
    start: first.start,
    end: last.end,
  };
}
