import { readFileSync } from 'node:fs';

/** Whether a process is stopped by a signal (proc(5)). False where the system doesn't tell. */
export function isStopped(pid: number): boolean {
  const stat = readProc(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) === 'T';
}

/** Bytes that the kernel holds for connections to a local port, which its process has not read (proc_net_tcp). */
export function unreadBytes(port: number): number {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  let bytes = 0;
  for (const line of readProc('/proc/net/tcp').split('\n')) {
    const [, local = '', , state, queues = ''] = line.trim().split(/\s+/);
    // 01 is ESTABLISHED; a listener counts connections there.
    if (local.endsWith(suffix) && state === '01') bytes += Number.parseInt(queues.split(':')[1] ?? '0', 16);
  }
  return bytes;
}

function readProc(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Another system than Linux, or the process has ended.
    return '';
  }
}
