// The site's configuration: sidebar, search, and the anchors that GitHub gives to headings.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitepress";
import { DOORS } from "../api.ts";
import { anchorOf } from "./links.ts";
import { doorPage, GROUPS, type PageGroup, pageOf, ROOT, titleOf } from "./pages.ts";

/** The library's reference, which typedoc writes: a page for each door. */
const LIBRARY = Object.entries(DOORS).map(([door, file]) => ({ text: door, link: `/${stem(doorPage(file))}` }));

function stem(page: string): string {
  return page.replace(/(^|\/)index\.md$|\.md$/, "$1");
}

const link = (file: string) => `/${stem(pageOf(file))}`;

const isInternal = ({ title }: PageGroup) => title === "Internals";

// groups without `collapsed`: the theme nests a button in a button where they can be folded
function sidebarGroup({ title, files }: PageGroup) {
  const items = files.map((file) => ({ text: titleOf(file), link: link(file) }));
  return { text: title, items: title === "Reference" ? [...items, ...LIBRARY] : items };
}

export default defineConfig({
  title: "deft",
  description: "Density-efficient fine-tuning of transformers in TypeScript",
  lang: "en",
  head: [["style", {}, readFileSync(join(ROOT, "scripts/docs/style.css"), "utf8")]],
  outDir: "../dist",
  cacheDir: "../.cache",
  cleanUrls: true,
  metaChunk: true,
  markdown: {
    anchor: { slugify: anchorOf },
    // the usual themes have comments and strings below a contrast of 4.5
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
  },
  vite: { build: { chunkSizeWarningLimit: 4096 } },
  themeConfig: {
    nav: [
      { text: "Tutorial", link: link("docs/tutorial/own-data.md") },
      { text: "How-to", link: link("docs/how-to/install.md") },
      { text: "Reference", link: link("docs/reference/commands.md") },
      { text: "Explanation", link: link("docs/explanation/density.md") },
      { text: "Internals", link: link("ARCHITECTURE.md") },
    ],
    sidebar: {
      "/internals/": GROUPS.filter(isInternal).map(sidebarGroup),
      "/": GROUPS.filter((group) => !isInternal(group)).map(sidebarGroup),
    },
    outline: [2, 3],
    search: { provider: "local" },
    footer: { message: "Apache-2.0. There is no telemetry." },
  },
});
