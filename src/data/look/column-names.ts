// What columns are usually called, by what stands in them.

/** Names of labels that are taken in this order where a table has several. */
export const LABEL_NAMES = ["label", "labels", "gold_label", "class", "target"];

/** Names of labels of which a table may have one; several leave open which is meant. */
export const TOPIC_NAMES = [
  "category",
  "categories",
  "classes",
  "sentiment",
  "topic",
  "topics",
  "intent",
  "emotion",
  "emotions",
  "polarity",
  "stars",
  "rating",
  "score",
  "similarity",
  "similarity_score",
  "relatedness_score",
  "toxicity",
  "spam",
  "is_duplicate",
  "is_spam",
  "genre",
  "genres",
  "tags",
  "priority",
  "grade",
  "value",
];

/** Labels of these names are classes, however many whole numbers stand there. */
export const CLASS_NAMES = ["label", "labels", "gold_label", "class", "classes", "category", "categories", "intent"];

/** Names of a text, where lengths do not tell which it is. */
export const TEXT_NAMES = [
  "text",
  "sentence",
  "content",
  "review",
  "body",
  "comment",
  "message",
  "description",
  "tweet",
  "document",
];

/** The two texts of a pair. */
export const PAIR_NAMES: readonly (readonly [string, string])[] = [
  ["premise", "hypothesis"],
  ["sentence1", "sentence2"],
  ["sentence_1", "sentence_2"],
  ["question1", "question2"],
  ["text1", "text2"],
  ["text_1", "text_2"],
  ["text_a", "text_b"],
  ["sentence_a", "sentence_b"],
  ["question", "sentence"],
  ["question", "answer"],
  ["question", "passage"],
  ["question", "context"],
  ["query", "passage"],
  ["query", "document"],
  ["query", "text"],
  ["claim", "evidence"],
  ["text", "text_pair"],
  ["text", "pair"],
];

/** Names of a text to be written. */
export const TARGET_NAMES = [
  "target",
  "target_text",
  "output",
  "summary",
  "highlights",
  "abstract",
  "translation",
  "answer",
  "response",
  "completion",
  "headline",
];

/** Names of a text to be read, where another is to be written. */
export const SOURCE_NAMES = [
  "source",
  "source_text",
  "input",
  "text",
  "document",
  "article",
  "dialogue",
  "body",
  "content",
  "question",
  "prompt",
  "instruction",
];

/** Names of what is neither a text nor a label. */
const OTHER_NAMES = new Set([
  "",
  "id",
  "ids",
  "idx",
  "index",
  "uuid",
  "guid",
  "url",
  "link",
  "date",
  "time",
  "timestamp",
  "created_at",
  "split",
  "line",
  "row",
  "unnamed: 0",
]);

/** A name in small letters with `_` between its words: `Gold Label`, `gold-label` and `goldLabel` are one. */
export function plainName(name: string): string {
  return name
    .trim()
    .replaceAll(/([a-z\d])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .replaceAll(/[\s-]+/g, "_");
}

/** Whether a column's name says that it holds neither a text nor a label: a number of the row, an address, a date. */
export function isOtherName(name: string): boolean {
  const plain = plainName(name);
  return OTHER_NAMES.has(plain) || OTHER_NAMES.has(name.trim().toLowerCase()) || plain.endsWith("_id");
}
