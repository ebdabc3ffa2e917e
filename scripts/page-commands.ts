/** The commands of a page, as one bash script: its `sh` blocks in order, so that what one exports the next ones see. */
export function commandsOf(page: string): string {
  const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block);
  return ['set -euo pipefail', ...blocks.map(checkPrints)].join('\n');
}

/** `command   # prints: text` is held to that text. */
function checkPrints(block: string): string {
  return block.replaceAll(/^(.*?\S)\s+# prints: (.*)$/gm, (_line, command: string, text: string) => {
    const wanted = `'${text.replaceAll("'", String.raw`'\''`)}'`;
    return `printed="$(${command})"; [ "$printed" = ${wanted} ] || { echo "printed: $printed, not: "${wanted} >&2; exit 1; }`;
  });
}
