import { availableParallelism, cpus } from 'node:os';

/** What figures were measured on: they are worth nothing without it. */
export function machine(): { readonly node: string; readonly cpu: string; readonly cores: number } {
  return { node: process.version, cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism() };
}
