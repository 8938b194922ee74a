// Links of Markdown files: where they are, the anchors of headings, and what becomes of a link when its page moves to the site.
import { posix } from "node:path";

/** GitHub's anchor of a heading; the site uses the same. */
export function anchorOf(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-");
}

/** The text with fenced blocks and comments blanked, lines kept: their brackets are no links. */
export function prose(text: string): string {
  return text.replace(/^(```|~~~)[\s\S]*?^\1/gm, (block) => block.replace(/[^\n]/g, " "));
}

const LINK = /(!?)\[([^\]]*)\]\(\s*<?([^)\s>]+)>?([^)]*)\)/g;

/** One link of a text: a target in the repository, relative to the file, and a heading there. */
export interface Link {
  readonly text: string;
  readonly path: string;
  readonly anchor: string | undefined;
}

/** The links of a text that lead to files or headings of the repository. */
export function localLinks(text: string): Link[] {
  return [...prose(text).matchAll(LINK)].flatMap(([, , label = "", link = ""]) => {
    if (isRemote(link)) return [];
    const [path = "", anchor] = link.split("#");
    return [{ text: label, path: decodeURI(path), anchor }];
  });
}

const isRemote = (link: string) => /^[a-z][\w+.-]*:/i.test(link);

/** How a page's links are changed for the site. */
export interface LinkChange {
  /** The file's path in the repository. */
  readonly file: string;
  /** The page's path in the site. */
  readonly page: string;
  /** The pages of the site by their file's path in the repository. */
  readonly pages: ReadonlyMap<string, string>;
  /** Where other files of the repository can be read, with `/` at its end; without it such links become plain text. */
  readonly repository: string | undefined;
}

/** The text with links to pages of the site led there, pictures where they are, and links to other files of the repository led to it or removed. */
export function changeLinks(text: string, { file, page, pages, repository }: LinkChange): string {
  const blanked = prose(text);
  let changed = "";
  let end = 0;
  for (const match of blanked.matchAll(LINK)) {
    const [whole, image = "", , link = ""] = match;
    const label = text.slice(match.index + image.length + 1, match.index + whole.indexOf("]("));
    const stays = image !== "" || isRemote(link) || link.startsWith("#");
    changed += text.slice(end, match.index) + (stays ? whole : moved(label, link));
    end = match.index + whole.length;
  }
  return changed + text.slice(end);

  function moved(label: string, link: string): string {
    const [path = "", anchor] = link.split("#");
    const target = posix.join(posix.dirname(file), decodeURI(path));
    const suffix = anchor === undefined ? "" : `#${anchor}`;
    const there = pages.get(target);
    if (there !== undefined) {
      const relative = posix.relative(posix.dirname(page), there);
      return `[${label}](${relative.startsWith(".") ? "" : "./"}${relative}${suffix})`;
    }
    if (repository !== undefined) return `[${label}](${repository}${target}${suffix})`;
    return label;
  }
}
