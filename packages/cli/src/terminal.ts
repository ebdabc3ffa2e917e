/** All that the command line has from outside: where it prints, what it reads, its environment. */
export interface Terminal {
  readonly print: (text: string) => void;
  readonly printError: (text: string) => void;
  readonly readStdin: () => Promise<string>;
  /** Asks without showing what is typed; undefined when nobody can be asked. */
  readonly askHidden: ((question: string) => Promise<string>) | undefined;
  readonly environment: { readonly [name: string]: string | undefined };
  readonly homeDirectory: string;
}
