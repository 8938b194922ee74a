// `npm run docs`: the documentation as a static site in site/dist, from the pages of the repository and the doors' docstrings.
// DEFT_REPOSITORY, an address that ends with `/`, leads links to other files there; without it they are plain text.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Application } from "typedoc";
import { build } from "vitepress";
import { DOORS } from "../api.ts";
import { changeLinks } from "./links.ts";
import { doorPage, ROOT, sitePages } from "./pages.ts";

const PAGES = join(ROOT, "site/pages");

/** The list of doors that the plugin writes; the sidebar has it already. */
const CONTENTS = "contents.md";

/** Options of typedoc-plugin-markdown, which typedoc's own types do not know: a page for each door. */
const PLUGIN_OPTIONS = {
  outputFileStrategy: "modules",
  hidePageHeader: true,
  hideBreadcrumbs: true,
  entryFileName: CONTENTS,
  parametersFormat: "table",
  interfacePropertiesFormat: "table",
  useCodeBlocks: true,
  expandObjects: true,
};

/** Copies every page to its place in the site, with its links changed. */
function writePages(): void {
  const pages = sitePages();
  for (const [file, page] of pages) {
    const text = readFileSync(join(ROOT, file), "utf8");
    const path = join(PAGES, page);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, changeLinks(text, { file, page, pages, repository: process.env["DEFT_REPOSITORY"] }));
  }
}

/** Copies the pictures of the pages of `docs` to the same places in the site. */
function copyPictures(): void {
  for (const file of readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".svg")) continue;
    mkdirSync(dirname(join(PAGES, file)), { recursive: true });
    copyFileSync(join(ROOT, "docs", file), join(PAGES, file));
  }
}

/** The library's reference: signatures, units and errors of every public name, a folder for each door. */
async function writeLibraryReference(): Promise<void> {
  const app = await Application.bootstrapWithPlugins({
    plugin: ["typedoc-plugin-markdown"],
    outputs: [{ name: "markdown", path: join(PAGES, "reference/api") }],
    entryPoints: Object.values(DOORS).map((file) => join(ROOT, file)),
    tsconfig: join(ROOT, "tsconfig.build.json"),
    readme: "none",
    excludePrivate: true,
    excludeInternal: true,
    disableSources: true,
    logLevel: "Warn",
    ...PLUGIN_OPTIONS,
  });
  const project = await app.convert();
  if (project === undefined || app.logger.hasErrors()) throw new Error("typedoc could not read the doors");
  await app.generateOutputs(project);
  for (const [door, file] of Object.entries(DOORS)) {
    const path = join(ROOT, "site/pages", doorPage(file));
    writeFileSync(path, readFileSync(path, "utf8").replace(/^# .+/, `# ${door}`));
  }
  rmSync(join(PAGES, "reference/api", CONTENTS));
}

/** VitePress looks for its configuration inside the folder that it builds. */
function writeConfiguration(): void {
  mkdirSync(join(PAGES, ".vitepress"), { recursive: true });
  writeFileSync(join(PAGES, ".vitepress/config.ts"), 'export { default } from "../../../scripts/docs/config.ts";\n');
}

rmSync(join(ROOT, "site"), { recursive: true, force: true });
writePages();
copyPictures();
await writeLibraryReference();
writeConfiguration();
await build(PAGES);
if (!existsSync(join(ROOT, "site/dist/index.html"))) throw new Error("VitePress wrote no site");
