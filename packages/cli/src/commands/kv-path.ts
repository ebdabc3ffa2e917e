import type { Command } from 'commander';
import { command, type Session } from '../command.ts';
import { Failure } from '../failure.ts';

export interface MountOption {
  readonly mount?: string;
}

export function kvSubcommand(name: string, summary: string, examples: readonly string[]): Command {
  return command(name, summary, examples)
    .argument('<path>', 'with the mount in front, unless --mount is given')
    .option('--mount <path>', 'where the engine is mounted');
}

/** The API's path of a secret: `secret/app/db` → `secret/data/app/db`. Asks the node where the mount ends; it may have slashes. */
export async function kvPath(session: Session, kind: string, path: string, { mount }: MountOption): Promise<string> {
  const whole = path.replace(/^\/+|\/+$/g, '');
  if (mount !== undefined) return joined(mount, kind, whole);
  const found = await mountOf(session, whole);
  return joined(found, kind, whole.slice(found.length));
}

async function mountOf({ api }: Session, path: string): Promise<string> {
  const first = path.split('/', 1)[0] ?? path;
  try {
    const { data } = await api.call('read', `sys/internal/ui/mounts/${path}`);
    const mount = data?.['path'];
    if (typeof mount === 'string' && `${path}/`.startsWith(mount)) return mount.replace(/\/$/, '');
    return first;
  } catch (fault) {
    // A token may use a secret without being allowed to ask where it lies; then the first segment is the likely mount.
    if (fault instanceof Failure && !fault.message.startsWith('cannot connect')) return first;
    throw fault;
  }
}

function joined(mount: string, kind: string, rest: string): string {
  return [mount, kind, rest]
    .map((part) => part.replace(/^\/+|\/+$/g, ''))
    .filter((part) => part !== '')
    .join('/');
}
