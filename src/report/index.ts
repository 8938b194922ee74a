// Records as people read them: tables, figures, pages, model cards, and the files other tools read.
// Takes events, evaluations, comparisons and run records, gives text and bytes. Never: runs or measures anything.
export { type Answers, answersOf, type ClassAnswers, classesTable, majoritySentence } from "./answers.ts";
export type { CompressionReport } from "./candidates.ts";
export { bytes, count, duration, percent } from "./format.ts";
export { profileHtml, reportHtml } from "./page/html.ts";
export { shellLine } from "./page/page.ts";
export { pairedComparisons } from "./pairing.ts";
export { advance, eventLines, NO_PROGRESS, progressLine, progressRegion } from "./progress.ts";
export { comparisonJson, evaluationJson, profileJson, toJson } from "./results.ts";
export { runFiles } from "./run-files.ts";
export type { RunReport } from "./run-report.ts";
export { arithmeticTable, benchNotes, benchTable, ENERGY_CAVEAT } from "./tables/bench.ts";
export { compressionLine, compressionNotes, compressionsTable, compressionTable } from "./tables/compression.ts";
export { renderTable } from "./tables/table.ts";
export { comparisonSentences, comparisonTable, evaluationFacts, layersTable, runsTable } from "./tables/tables.ts";
export { tensorBoardFileName, tensorBoardHeader, tensorBoardRecords } from "./tensorboard.ts";
