/** A google.rpc.Status with an ErrorInfo, and a BadRequest for `field`, as a node puts it into `grpc-status-details-bin`. For tests. */
export function statusDetails(reason: string, domain = 'lockstep', field?: string): Buffer {
  const member = (number: number, value: Buffer): Buffer => {
    const length = value.length < 128 ? [value.length] : [(value.length % 128) | 0x80, Math.floor(value.length / 128)];
    return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), value]);
  };
  const info = Buffer.concat([member(1, Buffer.from(reason)), member(2, Buffer.from(domain))]);
  const any = (type: string, value: Buffer): Buffer =>
    member(3, Buffer.concat([member(1, Buffer.from(`type.googleapis.com/google.rpc.${type}`)), member(2, value)]));
  const other = any('RetryInfo', Buffer.alloc(0));
  const violation = member(1, member(1, Buffer.from(field ?? '')));
  const parts = [other, any('ErrorInfo', info), ...(field === undefined ? [] : [any('BadRequest', violation)])];
  return Buffer.concat([Buffer.from([8, 14]), member(2, Buffer.from('message')), ...parts]);
}
