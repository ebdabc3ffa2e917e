/** CRC-32C (Castagnoli; RFC 3720 appendix B.4), which LevelDB's log files carry. Node's zlib has only the other CRC-32. */
export function crc32c(bytes: Uint8Array, from: number, until: number): number {
  let crc = 0xffff_ffff;
  let at = from;
  for (; at + 4 <= until; at += 4) {
    // Four bytes a step through four tables: 3 times as fast as bytewise, and a full scan reads up to 64 MiB.
    crc ^=
      (byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24)) >>> 0;
    crc =
      look(768 + (crc & 255)) ^ look(512 + ((crc >>> 8) & 255)) ^ look(256 + ((crc >>> 16) & 255)) ^ look(crc >>> 24);
  }
  for (; at < until; at++) crc = look((crc ^ byte(bytes, at)) & 255) ^ (crc >>> 8);
  return (crc ^ 0xffff_ffff) >>> 0;
}

/** LevelDB stores a checksum rotated and offset, so that a file of checksummed files can be checksummed itself. */
export function unmasked(masked: number): number {
  const rotated = (masked - 0xa282_ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

const tables = castagnoliTables();

function castagnoliTables(): Uint32Array {
  const table = new Uint32Array(4 * 256);
  for (let value = 0; value < 256; value++) {
    let crc = value;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
    table[value] = crc;
  }
  for (let at = 256; at < table.length; at++) {
    const previous = table[at - 256] ?? 0;
    table[at] = (table[previous & 255] ?? 0) ^ (previous >>> 8);
  }
  return table;
}

function look(at: number): number {
  return tables[at] ?? 0;
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}
