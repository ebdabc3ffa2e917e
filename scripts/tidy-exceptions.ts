/** Where a rule of tidy-rules.ts makes a place worse, and why. One that is no longer needed fails the test. */
export interface TidyException {
  readonly rule: string;
  readonly path: string;
  readonly because: string;
}

export const tidyExceptions: readonly TidyException[] = [];

/** Programs and modules that nothing imports, since something else starts or loads them. */
export const entryPoints: readonly { readonly path: RegExp; readonly because: string }[] = [
  { path: /\.test\.ts$/, because: 'vitest runs it' },
  { path: /\.fixture\.ts$/, because: 'a test starts it as a process' },
  { path: /\/main\.ts$/, because: 'a program' },
  { path: /^scripts\/(run|setup)\.mjs$/, because: 'package.json starts it, on whatever Node there is' },
  { path: /^scripts\/(test|fix|demo)\.ts$/, because: 'package.json starts it' },
  { path: /^scripts\/unit-tests\.ts$/, because: 'scripts/test.ts starts it as a process of its own' },
];
