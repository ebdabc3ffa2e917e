/** Resolves after so many milliseconds; a process that ends does not wait for it. */
export async function pause(ms: number): Promise<void> {
  await new Promise<void>((resolve) => setTimeout(resolve, ms).unref());
}
