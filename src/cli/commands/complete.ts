// `deft complete SHELL`: the script by which a shell asks this command what may stand at the cursor.
import { script } from "@bomb.sh/tab";
import { ConfigError, nearest } from "../../errors.ts";
import type { Body } from "../command.ts";
import { SHELLS } from "../completion.ts";

/**
 * What the script for bash lacks: a fallback to file names, the slash behind folders, and a way without the package bash-completion.
 */
const BASH_FILES = `
eval "$(declare -f __deft_complete | sed 's/-o dirnames/-o filenames/')"
if ! declare -F _get_comp_words_by_ref > /dev/null; then
    _get_comp_words_by_ref() {
        cword=$COMP_CWORD
        words=("\${COMP_WORDS[@]}")
        cur=\${COMP_WORDS[COMP_CWORD]}
        prev=\${COMP_WORDS[COMP_CWORD - 1]}
    }
fi
complete -o default -F __deft_complete deft`;

export const run: Body = async ({ args, terminal }) => {
  const [shell = ""] = args;
  if (!(SHELLS as readonly string[]).includes(shell)) {
    const near = nearest(shell, SHELLS);
    const issue = { path: "SHELL", expected: `one of ${SHELLS.join(", ")}`, got: JSON.stringify(shell) };
    throw new ConfigError([near === undefined ? issue : { ...issue, didYouMean: near }]);
  }
  // it writes to standard output itself
  script(shell, "deft", "deft");
  if (shell === "bash") terminal.print(BASH_FILES);
  return 0;
};
