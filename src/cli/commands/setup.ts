// `deft setup`: fetches ONNX Runtime for this machine now, so that later commands need no network for it.
import type { Body } from "../command.ts";
import { readyEngine } from "../workflow.ts";

export const run: Body = async ({ terminal, json }) => {
  const engine = await readyEngine();
  if (json) terminal.print(JSON.stringify(engine));
  else terminal.print(`ONNX Runtime ${engine.version} is ready: ${engine.folder}`);
  return 0;
};
