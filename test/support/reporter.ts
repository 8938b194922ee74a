// Prints the closing line `N passed, N failed` that the release check reads.
import type { Reporter, TestModule } from "vitest/node";

export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandled.length;
    let skipped = 0;
    for (const module of modules) {
      if (module.children.size === 0 && module.state() === "failed") failed++;
      for (const test of module.children.allTests()) {
        const state = test.result().state;
        if (state === "passed") passed++;
        else if (state === "failed") failed++;
        else skipped++;
      }
    }
    const left = skipped === 0 ? "" : `${skipped} skipped: what they need is not here; each says what\n`;
    process.stdout.write(`\n${left}${passed} passed, ${failed} failed\n`);
  }
}
