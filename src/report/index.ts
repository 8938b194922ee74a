// Records as people read them: tables, figures, pages, model cards, and the files other tools read.
// Takes events, evaluations, comparisons and run records, gives text and bytes. Never: runs or measures anything.

export { type Answers, answersOf, type ClassAnswers, classesTable, majoritySentence } from "./answers.ts";
export { arithmeticTable, benchTable, ENERGY_CAVEAT } from "./bench.ts";
export type { CompressionReport } from "./candidates.ts";
export { type Figure, standaloneSvg } from "./chart.ts";
export { compressionLine, compressionNotes, compressionsTable, compressionTable } from "./compression.ts";
export {
  densityOverStepsFigure,
  layerFigure,
  learningRateFigure,
  lossFigure,
  pairedFigure,
  scoreFigure,
  thresholdFigure,
  tradeOffFigure,
} from "./figures.ts";
export {
  bytes,
  clock,
  count,
  decimal,
  definitionLabel,
  duration,
  metricLabel,
  percent,
  points,
  score,
  scoreChange,
  signedPercent,
  significant,
} from "./format.ts";
export { profileHtml, type ReportContent, reportHtml } from "./html.ts";
export { type CardOptions, markdownTable, modelCard } from "./model-card.ts";
export { shellLine } from "./page.ts";
export { pairedComparisons } from "./pairing.ts";
export { PAPER_CAVEAT, PAPER_FIGURES, type PaperFigure } from "./paper.ts";
export {
  advance,
  eventLines,
  NO_PROGRESS,
  type Progress,
  progressLine,
  progressRegion,
  stepRate,
  timeLeftMs,
} from "./progress.ts";
export { comparisonJson, evaluationJson, type Json, profileJson, toJson, trainerResults } from "./results.ts";
export { type RunFile, runFiles } from "./run-files.ts";
export type { RunReport } from "./run-report.ts";
export { clipText, displayWidth, pad, renderTable, type Table } from "./table.ts";
export {
  comparisonSentences,
  comparisonTable,
  definitionsTable,
  evaluationFacts,
  layersTable,
  runsTable,
} from "./tables.ts";
export { tensorBoardFileName, tensorBoardHeader, tensorBoardRecords } from "./tensorboard.ts";
