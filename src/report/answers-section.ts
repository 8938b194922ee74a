// The part of a page on what a run answered: the confusion matrix, scores by class, residuals, and the worst examples.
import { residualFigure } from "./answer-figures.ts";
import {
  type Answers,
  answersOf,
  type ClassAnswers,
  classesTable,
  confusionsTable,
  majoritySentence,
  type WorstAnswers,
  worstAnswers,
} from "./answers.ts";
import { slug } from "./figures/compression-figures.ts";
import { count } from "./format.ts";
import { figuresHtml, html, type Markup, raw, scrollHtml, tableHtml } from "./page/page.ts";
import type { RunReport } from "./run-report.ts";

/** From this many classes on, a matrix says less than the pairs that are confused most. */
const MOST_CLASSES = 20;
/** From this many classes on, the headings of a matrix stand upright. */
const MANY_CLASSES = 7;

/** What each run answered, by its `predictions.jsonl`; null where no run kept it. Of several runs each can be opened. */
export function answersSection(runs: readonly RunReport[]): Markup | null {
  const answered = runs.flatMap(({ name, record, outcomes }) => {
    const answers = answersOf(outcomes, record.labels);
    return answers === null ? [] : [{ name, answers }];
  });
  if (answered.length === 0) return null;
  const lead = html`<p>What was answered for each example of the evaluation split, at the evaluation that was kept.</p>`;
  if (runs.length === 1)
    return html`<section><h2>Answers</h2>${lead}${answered.map(({ name, answers }) => runAnswers(name, answers))}</section>`;
  return html`<section><h2>Answers</h2>${lead}${answered.map(
    ({ name, answers }) => html`<details><summary>${name}</summary>${runAnswers(name, answers)}</details>`,
  )}</section>`;
}

function runAnswers(name: string, answers: Answers): Markup {
  const worst = worstAnswers(answers);
  return html`${answers.kind === "classes" ? classParts(answers) : null}
${answers.kind === "numbers" ? figuresHtml([residualFigure(answers.outcomes, `residuals-${slug(name)}`)]) : null}
<h3>Worst examples</h3>
${worst === null ? html`<p>Every answer is right.</p>` : worstHtml(worst)}`;
}

function classParts(answers: ClassAnswers): Markup {
  const { labels } = answers;
  const majority = majoritySentence(answers);
  return html`${majority === null ? null : html`<p class="warning">${majority}</p>`}
${
  labels.length > MOST_CLASSES
    ? html`<h3>Confused most</h3>${tableHtml("classes that are confused most", confusionsTable(answers))}`
    : html`<h3>Confusion matrix</h3>${matrixHtml(answers)}
<p class="note">Examples by label (rows) and answer (columns); stronger is a larger share of the row. On the diagonal the answer is right.</p>`
}
<h3>Scores by class</h3>
${tableHtml("scores by class", classesTable(answers), (row) => row[0]?.endsWith("average") ?? false)}`;
}

function matrixHtml({ labels, counts }: ClassAnswers): Markup {
  const many = labels.length >= MANY_CLASSES ? raw(" many") : null;
  const rows = counts.map((row, label) => {
    const support = row.reduce((sum, cell) => sum + cell, 0);
    const cells = row.map((cell, answer) => {
      const cls = label === answer ? raw(' class="right"') : null;
      return html`<td${cls} style="--share:${(cell / Math.max(1, support)).toFixed(3)}">${count(cell)}</td>`;
    });
    return html`<tr><th scope="row">${labels[label] ?? ""}</th>${cells}</tr>`;
  });
  return scrollHtml(
    "confusion matrix",
    html`<table class="matrix${many}"><thead><tr><td>label ↓ answer →</td>${labels.map((label) => html`<th scope="col"><span>${label}</span></th>`)}</tr></thead><tbody>${rows}</tbody></table>`,
  );
}

function worstHtml({ sentence, head, align, rows }: WorstAnswers): Markup {
  const withText = rows.some(({ text }) => text !== null);
  const cls = (c: number) => ((align[c] ?? "right") === "right" ? raw(' class="n"') : null);
  const example = (text: string | null, pair: string | null) =>
    html`<td class="example">${text ?? "–"}${pair === null ? null : html`<span class="pair">${pair}</span>`}</td>`;
  return html`<p class="note">${sentence}${withText ? "" : " This run kept no texts; “line” is the example’s place in its file."}</p>
${scrollHtml(
  "worst examples",
  html`<table><thead><tr>${head.map((cell, c) => html`<th scope="col"${cls(c)}>${cell}</th>`)}${withText ? html`<th scope="col">text</th>` : null}</tr></thead><tbody>${rows.map(
    ({ cells, text, pair }) =>
      html`<tr>${cells.map((cell, c) => (c === 0 ? html`<th scope="row"${cls(0)}>${cell}</th>` : html`<td${cls(c)}>${cell}</td>`))}${withText ? example(text, pair) : null}</tr>`,
  )}</tbody></table>`,
)}`;
}
