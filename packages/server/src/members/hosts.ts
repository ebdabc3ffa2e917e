/** The host names and addresses of a node's doors, each once: what its certificate is for. */
export function hostsOf(advertised: {
  readonly peer: string;
  readonly api: string;
  readonly grpc: string;
}): readonly string[] {
  const { peer, api, grpc } = advertised;
  return [...new Set([hostOf(peer), hostOf(api.replace(/^https?:\/\//, '')), hostOf(grpc)])].filter(
    (host) => host !== '',
  );
}

/** Of `host:port`, `[::1]:8200`. */
export function hostOf(address: string): string {
  return address.replace(/:\d*$/, '').replace(/^\[|\]$/g, '');
}
