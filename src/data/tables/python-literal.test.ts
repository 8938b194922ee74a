// What Python, NumPy and pandas print into a cell is read as the value it stands for; other texts are none.
import { expect, test } from "vitest";
import { pythonLiteral } from "./python-literal.ts";

// printed by Python 3.11, NumPy 2.5, pandas 3.1 and datasets 5.2
test.each<[string, unknown]>([
  [
    "{'text': array(['a woman', 'woman'], dtype=object), 'answer_start': array([43, 45], dtype=int32)}",
    { text: ["a woman", "woman"], answer_start: [43, 45] },
  ],
  ["{'text': array([], dtype=object), 'answer_start': array([], dtype=int32)}", { text: [], answer_start: [] }],
  [
    "{'text': array(['a much longer answer',\n       'another'], dtype=object)}",
    { text: ["a much longer answer", "another"] },
  ],
  ["['It\\'s \"a\" ship']", ['It\'s "a" ship']],
  ["['a woman' 'woman']", ["a woman", "woman"]],
  ["[43 45]", [43, 45]],
  ["[np.int64(3), np.float64(1.5), np.str_('x')]", [3, 1.5, "x"]],
  ["('a', None, True, False)", ["a", null, true, false]],
  ["[nan, inf, -1.5e3, 1_000]", [Number.NaN, Number.POSITIVE_INFINITY, -1500, 1000]],
  ["array(['\\u00e9', '\\x41', '\\U0001F600', 'a\\nb', 'c\\\\d'], dtype='<U3')", ["é", "A", "😀", "a\nb", "c\\d"]],
  [
    '{"text": ["a"], "answer_start": [0], "ok": true, "no": null}',
    { text: ["a"], answer_start: [0], ok: true, no: null },
  ],
  ["{}", {}],
  ["{'a', 'b'}", ["a", "b"]],
  [" 7 ", 7],
])("%s", (text, value) => expect(pythonLiteral(text)).toEqual({ value }));

test.each([
  "",
  "[redacted]",
  "[sic] he said",
  "{name}",
  "['open",
  "[1, 2",
  "{'a' 1}",
  "{'a': 1, 'b'}",
  "[2024-01-01]",
  "a class",
  "(see below)",
  "array([1], dtype)",
  "'\\x4'",
  "[".repeat(5000),
])("no literal: %j", (text) => expect(pythonLiteral(text)).toBeNull());
