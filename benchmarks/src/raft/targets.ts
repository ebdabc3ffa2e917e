/** What three nodes on two cores must reach, in operations a second. */
export const targets: readonly { readonly figure: string; readonly least: number }[] = [
  { figure: 'commits, 1 in flight on the leader', least: 200 },
  { figure: 'commits, 64 in flight on the leader', least: 9_000 },
  { figure: 'commits, 256 in flight on the leader', least: 18_000 },
  { figure: 'reads, 256 in flight on the leader', least: 20_000 },
];
