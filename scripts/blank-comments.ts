/** What stands at a place of a TypeScript text, as far as blanking needs to know. */
type Token = 'comment' | 'string' | 'regex';

/**
 * The text with every comment (and, if asked, everything inside quotes, templates and regular expressions) as blanks, so that a
 * search finds code only. Newlines stay. A `/` is taken for a regular expression where a value can't have ended before it.
 */
export function blankComments(text: string, what: 'comments' | 'comments-and-strings'): string {
  const out = text.split('');
  const blank = (from: number, to: number): void => {
    for (let i = from; i < to; i++) if (out[i] !== '\n') out[i] = ' ';
  };
  // Each open template literal's count of braces since its `${`.
  const templates: number[] = [];
  let at = 0;
  while (at < text.length) {
    const found = tokenAt(text, at);
    if (found !== undefined) {
      const end = endOf(text, at, found);
      if (found === 'comment') blank(at, end);
      else if (what === 'comments-and-strings') blank(at + 1, end - 1);
      at = end;
      continue;
    }
    const character = text[at];
    if (character === '`' || (character === '}' && templates.at(-1) === 0)) {
      if (character === '}') templates.pop();
      const end = endOfTemplateText(text, at + 1);
      if (what === 'comments-and-strings') blank(at + 1, end);
      if (text.startsWith('${', end)) templates.push(0);
      at = text.startsWith('${', end) ? end + 2 : end + 1;
      continue;
    }
    const depth = templates.pop();
    if (depth !== undefined) templates.push(depth + (character === '{' ? 1 : character === '}' ? -1 : 0));
    at += 1;
  }
  return out.join('');
}

function tokenAt(text: string, at: number): Token | undefined {
  const character = text[at];
  if (character === "'" || character === '"') return 'string';
  if (character !== '/') return undefined;
  if (text[at + 1] === '/' || text[at + 1] === '*') return 'comment';
  return isValueBefore(text, at) ? undefined : 'regex';
}

function isValueBefore(text: string, at: number): boolean {
  // A line is enough to look back on: no operator here stands alone at the end of the line before.
  const before = text.slice(text.lastIndexOf('\n', at) + 1, at).trimEnd();
  if (/(^|\W)(return|typeof|case|of|in|do|else|await|yield|void|throw)$/.test(before)) return false;
  return /[\w$)\]}'"`]$/.test(before);
}

function endOf(text: string, at: number, token: Token): number {
  if (token === 'comment') {
    const end = text[at + 1] === '/' ? text.indexOf('\n', at) : text.indexOf('*/', at + 2) + 2;
    return end < at + 2 ? text.length : end;
  }
  const closing = token === 'regex' ? '/' : text[at];
  let isInClass = false;
  for (let i = at + 1; i < text.length; i++) {
    const character = text[i];
    if (character === '\\') i += 1;
    else if (character === '\n') return i;
    else if (token === 'regex' && (character === '[' || character === ']')) isInClass = character === '[';
    else if (character === closing && !isInClass) return i + 1;
  }
  return text.length;
}

/** Where the text of a template ends: at its closing backtick or at the next `${`. */
function endOfTemplateText(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === '`' || text.startsWith('${', i)) return i;
  }
  return text.length;
}
