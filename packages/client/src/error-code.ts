/** The reason in the google.rpc.ErrorInfo of a call's `grpc-status-details-bin`, as our codes are written; undefined without one of ours. */
export function codeOf(details: Buffer): string | undefined {
  for (const info of detailsOf(details, 'ErrorInfo')) {
    const members = new Map(membersOf(info));
    if (members.get(2)?.toString('utf8') === 'lockstep')
      return members.get(1)?.toString('utf8').toLowerCase().replaceAll('_', '-');
  }
  return undefined;
}

/** The first field that the google.rpc.BadRequest there names. */
export function fieldOf(details: Buffer): string | undefined {
  for (const badRequest of detailsOf(details, 'BadRequest')) {
    const [violation] = membersOf(badRequest);
    const field = violation === undefined ? undefined : new Map(membersOf(violation[1])).get(1);
    if (field !== undefined) return field.toString('utf8');
  }
  return undefined;
}

/** The messages of one type of google.rpc among the details. */
function* detailsOf(details: Buffer, type: string): Generator<Buffer> {
  for (const [number, any] of membersOf(details)) {
    if (number !== 3) continue;
    const members = new Map(membersOf(any));
    if (members.get(1)?.toString('utf8').endsWith(`/google.rpc.${type}`)) yield members.get(2) ?? Buffer.alloc(0);
  }
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
