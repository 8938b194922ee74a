// A run's own base: a model that was changed for it and lies in its folder, or beside it where several runs share one.
import { type Files, joinPath, parentFolder } from "../tensor/index.ts";

/** In the folder of a run, or of a comparison: the model that its runs train. */
export const BASE_FOLDER = "base";

/** Where the model of the run in `folder` lies: where its record says, or in the run's own base where the run was moved or is asked from elsewhere. */
export async function modelOfRun(files: Files, folder: string, model: string): Promise<string> {
  if (!model.endsWith(`/${BASE_FOLDER}`) || (await files.stat(model)) !== null) return model;
  for (const keeper of [folder, parentFolder(folder)]) {
    const own = joinPath(keeper, BASE_FOLDER);
    // a model that was changed for a run has the plan beside it
    if ((await files.stat(joinPath(own, "plan.json"))) !== null) return own;
  }
  return model;
}
