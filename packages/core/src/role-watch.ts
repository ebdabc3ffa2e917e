import type { Ready, Role } from './raft/types.ts';

/** Notices when this node begins or ceases to lead, and how often it has tried to. */
export class RoleWatch {
  readonly #log: (event: 'leader' | 'not-leader', fields: { readonly term: number }) => void;
  #role: Role = 'follower';
  electionsStarted = 0;

  constructor(log: (event: 'leader' | 'not-leader', fields: { readonly term: number }) => void) {
    this.#log = log;
  }

  note({ role, term }: Ready): void {
    if (role === this.#role) return;
    if (role === 'candidate') this.electionsStarted++;
    if (role === 'leader') this.#log('leader', { term });
    else if (this.#role === 'leader') this.#log('not-leader', { term });
    this.#role = role;
  }
}
