import { LockstepError } from '@lockstep/contract/errors';
import { nestingMax, quotedLengthMax } from './limits.ts';

/** A value of HCL 1 or JSON, with the offset at which it begins. */
export type Value =
  | { readonly kind: 'text'; readonly text: string; readonly at: number }
  | { readonly kind: 'number' | 'boolean' | 'null'; readonly at: number }
  | { readonly kind: 'list'; readonly items: readonly Value[]; readonly at: number }
  | Block;

/** What lies between braces; the whole document is one too. */
export interface Block {
  readonly kind: 'block';
  readonly entries: readonly Entry[];
  readonly at: number;
}

/** `key = value`, or `key "label" { … }`. */
export interface Entry {
  readonly key: string;
  readonly labels: readonly string[];
  readonly value: Value;
  readonly at: number;
}

/**
 * Parses the part of HCL 1 that policies are written in, or the same as JSON. Refuses everything else with `invalid-input`, naming
 * line and rule: interpolation, heredocs, unclosed blocks, nesting past `nestingMax`. The caller bounds the text's size.
 */
export function parseHcl(text: string): Block {
  const source = text.startsWith('\ufeff') ? text.slice(1) : text;
  const isJson = /^\s*\{/.test(source);
  if (isJson) requireJson(source);
  const parser = new Parser(source);
  const document = isJson ? parser.value(0) : parser.entries(undefined, 0);
  parser.requireEnd();
  return document.kind === 'block' ? document : parser.refuse(0, 'a policy must be an object');
}

/** The refusal of `rule` at an offset of `text`, in the form of every error about a policy's text. */
export function refusalAt(text: string, at: number, rule: string): LockstepError {
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  const column = at - (before.lastIndexOf('\n') + 1) + 1;
  return new LockstepError('invalid-input', `policy: line ${line}, column ${column}: ${rule}`);
}

/** The caller's own word in an error: in quotes, and never long. */
export function quoted(word: string): string {
  return JSON.stringify(word.length > quotedLengthMax ? `${word.slice(0, quotedLengthMax)}…` : word);
}

// The parser below takes HCL and JSON alike and so more than JSON; that a JSON policy is JSON is checked here.
function requireJson(text: string): void {
  try {
    JSON.parse(text);
  } catch (cause) {
    throw new LockstepError('invalid-input', 'policy: begins like JSON but is not valid JSON', { cause });
  }
}

interface Token {
  readonly kind: 'text' | 'number' | 'word' | 'mark' | 'end';
  /** A text's value, otherwise the characters themselves. */
  readonly text: string;
  readonly at: number;
}

const gap = /(?:[ \t\r\n]+|#[^\n]*|\/\/[^\n]*|\/\*[^]*?\*\/)+/y;
const quotedText = /"(?:[^"\\\n]|\\.)*"/y;
const word = /[A-Za-z_][A-Za-z0-9_.-]*/y;
const number = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?[a-z]*/y;
const marks = '{}[]=,:';

class Parser {
  readonly #text: string;
  #at = 0;
  #next: Token;

  constructor(text: string) {
    this.#text = text;
    this.#next = this.#scan();
  }

  refuse(at: number, rule: string): never {
    throw refusalAt(this.#text, at, rule);
  }

  requireEnd(): void {
    if (this.#next.kind !== 'end')
      this.refuse(this.#next.at, `${quoted(this.#next.text)} follows the end of the policy`);
  }

  /** Entries up to the closing brace at `opened`, or to the end of the document. */
  entries(opened: number | undefined, depth: number): Block {
    const entries: Entry[] = [];
    while (!this.#isAtClose(opened)) {
      entries.push(this.#entry(depth));
      if (this.#next.text === ',' && this.#next.kind === 'mark') this.#take();
    }
    return { kind: 'block', entries, at: opened ?? 0 };
  }

  #isAtClose(opened: number | undefined): boolean {
    if (this.#next.kind === 'end') {
      if (opened !== undefined) this.refuse(opened, 'this block is not closed');
      return true;
    }
    if (!this.#isMark('}')) return false;
    if (opened === undefined) this.refuse(this.#next.at, '"}" closes nothing');
    this.#take();
    return true;
  }

  #entry(depth: number): Entry {
    const key = this.#take();
    if (key.kind !== 'word' && key.kind !== 'text')
      this.refuse(key.at, `a key must stand here, not ${quoted(key.text)}`);
    const labels: string[] = [];
    while (this.#next.kind === 'text') labels.push(this.#take().text);
    const hasSign = this.#isMark('=') || this.#isMark(':');
    if (hasSign) this.#take();
    else if (!this.#isMark('{')) this.refuse(this.#next.at, `"=" or "{" must follow ${quoted(key.text)}`);
    if (hasSign && labels.length > 0) this.refuse(key.at, `${quoted(key.text)} has more than one key before "="`);
    return { key: key.text, labels, value: this.value(depth + 1), at: key.at };
  }

  value(depth: number): Value {
    const first = this.#take();
    if (depth > nestingMax) this.refuse(first.at, `nested deeper than ${nestingMax} levels`);
    if (first.kind === 'text') return { kind: 'text', text: first.text, at: first.at };
    if (first.kind === 'number') return { kind: 'number', at: first.at };
    if (first.text === 'true' || first.text === 'false') return { kind: 'boolean', at: first.at };
    if (first.text === 'null') return { kind: 'null', at: first.at };
    if (first.kind === 'mark' && first.text === '[') return this.#list(first.at, depth);
    if (first.kind === 'mark' && first.text === '{') return this.entries(first.at, depth);
    if (first.kind === 'end') return this.refuse(first.at, 'the policy ends where a value must stand');
    return this.refuse(first.at, `a value must stand here, not ${quoted(first.text)} (text needs double quotes)`);
  }

  #list(opened: number, depth: number): Value {
    const items: Value[] = [];
    while (!this.#isMark(']')) {
      if (this.#next.kind === 'end') this.refuse(opened, 'this list is not closed');
      items.push(this.value(depth + 1));
      if (this.#isMark(',')) this.#take();
      else if (!this.#isMark(']')) this.refuse(this.#next.at, '"," or "]" must follow a list\'s element');
    }
    this.#take();
    return { kind: 'list', items, at: opened };
  }

  #isMark(mark: string): boolean {
    return this.#next.kind === 'mark' && this.#next.text === mark;
  }

  #take(): Token {
    const taken = this.#next;
    if (taken.kind !== 'end') this.#next = this.#scan();
    return taken;
  }

  #scan(): Token {
    this.#match(gap);
    const at = this.#at;
    const first = this.#text[at];
    if (first === undefined) return { kind: 'end', text: '', at };
    if (marks.includes(first)) {
      this.#at += 1;
      return { kind: 'mark', text: first, at };
    }
    if (first === '"') return { kind: 'text', text: this.#unquote(this.#match(quotedText), at), at };
    const letters = this.#match(word);
    if (letters !== undefined) return { kind: 'word', text: letters, at };
    const digits = this.#match(number);
    if (digits !== undefined) return { kind: 'number', text: digits, at };
    if (this.#text.startsWith('/*', at)) this.refuse(at, 'this comment is not closed');
    if (this.#text.startsWith('<<', at)) this.refuse(at, 'heredocs are not part of a policy');
    return this.refuse(at, `unexpected character ${quoted(String.fromCodePoint(this.#text.codePointAt(at) ?? 0))}`);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #unquote(literal: string | undefined, at: number): string {
    if (literal === undefined) return this.refuse(at, 'this text is not closed on its line');
    // HCL's escapes are JSON's, so JSON's parser reads them; a tab may stand unescaped in HCL.
    try {
      return JSON.parse(literal.replaceAll('\t', '\\t'));
    } catch {
      return this.refuse(at, 'this text has a control character or an unknown escape');
    }
  }
}
