/** The reason in the google.rpc.ErrorInfo of a call's `grpc-status-details-bin`, as our codes are written; undefined without one of ours. */
export function codeOf(details: Buffer): string | undefined {
  for (const [number, any] of membersOf(details)) {
    if (number !== 3) continue;
    const members = new Map(membersOf(any));
    if (!members.get(1)?.toString('utf8').endsWith('/google.rpc.ErrorInfo')) continue;
    const info = new Map(membersOf(members.get(2) ?? Buffer.alloc(0)));
    if (info.get(2)?.toString('utf8') === 'lockstep')
      return info.get(1)?.toString('utf8').toLowerCase().replaceAll('_', '-');
  }
  return undefined;
}

/** The length-delimited members of a protobuf message, by field number. Stops at what it can't read. */
function membersOf(bytes: Buffer): readonly (readonly [number, Buffer])[] {
  const members: (readonly [number, Buffer])[] = [];
  let at = 0;
  while (at < bytes.length) {
    const key = varint();
    const value = varint();
    if (key % 8 === 0) continue;
    if (key % 8 !== 2 || at + value > bytes.length) break;
    members.push([Math.floor(key / 8), bytes.subarray(at, at + value)]);
    at += value;
  }
  return members;

  function varint(): number {
    let value = 0;
    for (let scale = 1; at < bytes.length; scale *= 0x80) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    return value;
  }
}
