/**
 * What Node is started with for a node. A busy leader leaves garbage outside of the heap at the rate of its log; V8, which sees a
 * small heap, would collect it in full many times a second, for a quarter of the node's processor time. It may wait for 128 MiB.
 */
export const runtimeArguments: readonly string[] = ['--initial-old-space-size=128'];

/** LevelDB's work and Node's own share this pool, whose size is fixed at start. */
export const runtimeEnvironment: { readonly [name: string]: string } = { UV_THREADPOOL_SIZE: '16' };
