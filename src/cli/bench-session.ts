// How ONNX Runtime is opened to be timed: alike for our files and for Transformers.js.

/** Options of a session, as both packages take them. */
export interface TimedSession {
  readonly intraOpNumThreads: number;
  readonly interOpNumThreads: 1;
  readonly extra: { readonly session: Readonly<Record<string, string>> };
}

/** Threads rest between runs: those of the process before would otherwise take a core from this one's first 37 ms. */
export function timedSession(threads: number): TimedSession {
  return { intraOpNumThreads: threads, interOpNumThreads: 1, extra: { session: { force_spinning_stop: "1" } } };
}
