import { open } from 'node:fs/promises';

/** Makes the names in a directory durable: without it a new file may be gone after a power cut, however often it was synced. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
