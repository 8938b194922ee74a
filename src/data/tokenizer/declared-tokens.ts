// Tokens that the files of a folder declare beside the vocabulary, in the order in which transformers adds them.
import { AddedVocabulary, type DeclaredToken } from "./added-tokens.ts";
import type { NamedTokens } from "./class-steps.ts";
import { type AddedTokenJson, type TokenizerConfigJson, tokenContent } from "./json.ts";

/** The files of a folder that declare tokens; null where there is none. */
export interface TokenDeclarations {
  /** tokenizer_config.json. */
  readonly config: TokenizerConfigJson;
  /** special_tokens_map.json. */
  readonly specialMap: TokenizerConfigJson | null;
  /** added_tokens.json: tokens with the ids that they had. */
  readonly addedTokens: Readonly<Record<string, unknown>> | null;
  /** `added_tokens` of tokenizer.json. */
  readonly stored: readonly AddedTokenJson[];
}

/** What the files say of special tokens. */
export interface SpecialDeclarations {
  /** Contents by role, the class's usual ones included. */
  readonly named: NamedTokens;
  /** Tokens as they are to be added, in order. */
  readonly tokens: readonly DeclaredToken[];
  /** Contents that a file declares: what is left are tokens of the class alone. */
  readonly declared: ReadonlySet<string>;
}

/** Roles in the order of transformers' SPECIAL_TOKENS_ATTRIBUTES. */
const ROLES = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"].map((role) => `${role}_token`);

/** What the class of a tokenizer adds to the declarations of its files. */
export interface ClassTokens {
  /** What it calls its tokens with a role where the files do not say. */
  readonly usual: NamedTokens;
  /** T5's sentinels, by their number: added where the files name no special tokens of their own. */
  readonly sentinels: number;
  /** Special tokens of a SentencePiece model, which stand for those of special_tokens_map.json; null where there is none. */
  readonly ofModel: readonly DeclaredToken[] | null;
}

/**
 * Every declared token, as `TokenizersBackend` of transformers adds them: those of `added_tokens_decoder` (or, where there
 * is none, of added_tokens.json and tokenizer.json) by id, then those with a role, then the other special ones.
 *
 * @see transformers `tokenization_utils_base.py`, `_from_pretrained`; `tokenization_utils_tokenizers.py`, `__init__`
 */
export function declaredTokens(files: TokenDeclarations, ofClass: ClassTokens): SpecialDeclarations {
  const { config } = files;
  const isDecoded = typeof config.added_tokens_decoder === "object" && config.added_tokens_decoder !== null;
  const map = isDecoded ? null : files.specialMap;
  const settings = { ...config, ...mapped(map) };
  const byId = isDecoded ? decoded(config.added_tokens_decoder as object) : legacy(files, settings);
  const flagged = new Map(byId.map((token) => [token.content, token]));
  const named = namedTokens(settings, ofClass.usual, flagged);
  const others = extraTokens(config, map, ofClass);
  const tokens: DeclaredToken[] = [...byId];
  const known = new Set(tokens.map(({ content }) => content));
  const roles = new Set([...named.values()].map(({ content }) => content));
  tokens.push(...[...named.values(), ...others].filter(({ content }) => !known.has(content)));
  const inFiles = [...byId.map(({ content }) => content), ...declaredContents(settings, config, map)];
  return {
    named: Object.fromEntries([...named].map(([role, { content }]) => [role, content])),
    tokens: tokens.map((token) => (roles.has(token.content) ? { ...token, special: true } : token)),
    declared: new Set(inFiles),
  };
}

/** special_tokens_map.json as settings: it wins over tokenizer_config.json. */
function mapped(map: TokenizerConfigJson | null): TokenizerConfigJson {
  return Object.fromEntries(
    Object.entries(map ?? {}).map(([key, value]) => [key, isToken(value) ? { ...value, special: true } : value]),
  );
}

const isToken = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && tokenContent(value) !== null;

/** A token as a file writes it: a text is a special token; an object says what it is. */
function tokenOf(value: unknown, special = true): DeclaredToken | null {
  const content = tokenContent(value);
  if (content === null) return null;
  const flags = isToken(value) ? value : {};
  const isSpecial =
    typeof flags.special === "boolean"
      ? flags.special
      : isToken(value)
        ? flags.__type !== "AddedToken" && special
        : special;
  return {
    content,
    single_word: flags.single_word === true,
    lstrip: flags.lstrip === true,
    rstrip: flags.rstrip === true,
    normalized: typeof flags.normalized === "boolean" ? flags.normalized : !isSpecial,
    special: isSpecial,
  };
}

function decoded(decoder: object): DeclaredToken[] {
  return Object.entries(decoder)
    .sort(([a], [b]) => Number(a) - Number(b))
    .flatMap(([, value]) => {
      const token = tokenOf(value, false);
      return token === null ? [] : [token];
    });
}

/** Tokens of added_tokens.json and of tokenizer.json, by id; of one id the latter's counts. */
function legacy({ addedTokens, stored }: TokenDeclarations, settings: TokenizerConfigJson): DeclaredToken[] {
  const special = new Set([
    ...ROLES.map((role) => tokenContent(settings[role])),
    ...listOf(settings.extra_special_tokens ?? []).map(tokenContent),
  ]);
  const byId = new Map<number, DeclaredToken>();
  for (const [content, id] of Object.entries(addedTokens ?? {})) {
    const isSpecial = special.has(content);
    byId.set(typeof id === "number" || typeof id === "string" ? Number(id) : Number.NaN, {
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: !isSpecial,
      special: isSpecial,
    });
  }
  for (const { id, ...token } of stored) byId.set(id, token);
  return [...byId].sort(([a], [b]) => a - b).map(([, token]) => token);
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** Tokens with a role: as the files name them, with the flags that their declaration has. */
function namedTokens(
  settings: TokenizerConfigJson,
  usual: NamedTokens,
  flagged: ReadonlyMap<string, DeclaredToken>,
): Map<string, DeclaredToken> {
  const own = Object.entries(settings).filter(([key]) => key.endsWith("_token") && !ROLES.includes(key));
  const byName = settings.extra_special_tokens;
  // a list has special tokens without a role
  const extra = typeof byName === "object" && byName !== null && !Array.isArray(byName) ? Object.entries(byName) : [];
  const found = new Map<string, DeclaredToken>();
  for (const [role, value] of [...ROLES.map((role) => [role, settings[role]] as const), ...own, ...extra]) {
    const token = tokenOf(value) ?? tokenOf(usual[role]);
    if (token === null) continue;
    const known = flagged.get(token.content);
    found.set(role, known === undefined ? token : known);
  }
  return found;
}

/** Special tokens without a role: of `extra_special_tokens`, else of `additional_special_tokens`, else the class's own. */
function extraTokens(
  config: TokenizerConfigJson,
  map: TokenizerConfigJson | null,
  { sentinels, ofModel }: Omit<ClassTokens, "usual">,
): readonly DeclaredToken[] {
  const listed = listedTokens(config, map);
  if (listed.length > 0) return listed;
  const additional = ofModel ?? tokensOf(map?.additional_special_tokens);
  if (additional.some(({ content }) => content.includes("<extra_id_"))) return additional;
  return [...additional, ...Array.from({ length: sentinels }, (_, i) => tokenOf(`<extra_id_${i}>`)!)];
}

/** What tokenizer_config.json lists, and the newer key of special_tokens_map.json. */
function listedTokens(config: TokenizerConfigJson, map: TokenizerConfigJson | null): readonly DeclaredToken[] {
  const own = [config.extra_special_tokens, config.additional_special_tokens].map(tokensOf);
  return [...(own.find((tokens) => tokens.length > 0) ?? []), ...tokensOf(map?.extra_special_tokens)];
}

function tokensOf(value: unknown): readonly DeclaredToken[] {
  return listOf(value).flatMap((one) => {
    const token = tokenOf(one);
    return token === null ? [] : [token];
  });
}

function declaredContents(
  settings: TokenizerConfigJson,
  config: TokenizerConfigJson,
  map: TokenizerConfigJson | null,
): string[] {
  const named = [...namedTokens(settings, {}, new Map()).values()].map(({ content }) => content);
  const extra = extraTokens(config, map, { sentinels: 0, ofModel: null }).map(({ content }) => content);
  return [...named, ...extra];
}

/** Added tokens with their ids; tokens of the class alone that the model has no row for are left out. */
export function numbered(
  vocabulary: ReadonlyMap<string, number>,
  stored: readonly AddedTokenJson[],
  { tokens, declared }: SpecialDeclarations,
  rows: number,
): { readonly added: readonly AddedTokenJson[]; readonly idOf: (token: string) => number } {
  const all = new AddedVocabulary(vocabulary);
  all.add(stored);
  all.add(tokens);
  const unknown = all.idOf("") ?? 0;
  return {
    added: all.effective().filter(({ id, content }) => id < rows || declared.has(content) || vocabulary.has(content)),
    idOf: (token) => all.idOf(token) ?? unknown,
  };
}
